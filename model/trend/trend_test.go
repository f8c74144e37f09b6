package trend

import (
	"bytes"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/attune-shop/attune/model/event"
)

var noon = time.Date(2026, 3, 10, 12, 30, 0, 0, time.UTC)

func TestTop(t *testing.T) {
	var c Counters
	c.Add(noon.Add(-10*time.Minute), event.ViewItem, "lamp", 3)
	c.Add(noon.Add(-10*time.Minute), event.Purchase, "chair", 1)
	c.Add(noon.Add(-50*time.Minute), event.ViewItem, "desk", 2) // 11:40; half of that hour is inside
	c.Add(noon.Add(-30*time.Hour), event.ViewItem, "sofa", 100)
	c.Add(noon.Add(-20*24*time.Hour), event.ViewItem, "rug", 1000)
	weight := func(t event.Type) float64 { return map[event.Type]float64{event.ViewItem: 1, event.Purchase: 5}[t] }
	for _, tc := range []struct {
		name   string
		window time.Duration
		kind   event.Type
		n      int
		want   []Count
	}{
		{"an hour", time.Hour, "", 10, []Count{{"chair", 5}, {"lamp", 3}, {"desk", 1}}},
		{"views of an hour", time.Hour, event.ViewItem, 10, []Count{{"lamp", 3}, {"desk", 1}}},
		{"two hours", 2 * time.Hour, "", 10, []Count{{"chair", 5}, {"lamp", 3}, {"desk", 2}}},
		{"two days", 48 * time.Hour, "", 1, []Count{{"sofa", 100}}},
		{"a month", 30 * 24 * time.Hour, "", 2, []Count{{"rug", 1000}, {"sofa", 100}}},
		{"too short a window", time.Second, event.Purchase, 10, []Count{{"chair", 1}}},
		{"a type that did not occur", time.Hour, event.Refund, 10, []Count{}},
	} {
		if diff := cmp.Diff(tc.want, c.Top(noon, tc.window, tc.kind, weight, tc.n)); diff != "" {
			t.Errorf("%s: -want +got\n%s", tc.name, diff)
		}
	}
	c.Prune(noon.Add(25 * 24 * time.Hour))
	if got := c.Top(noon, 30*24*time.Hour, "", weight, 10); len(got) != 4 {
		t.Errorf("after pruning: %v; want all but the rug", got)
	}
}

func TestBucketsAreBounded(t *testing.T) {
	var c Counters
	for i := range 5 * hourEntries {
		c.Add(noon, event.ViewItem, fmt.Sprint("rare", i), 1)
		c.Add(noon, event.ViewItem, "often", 1)
	}
	for at := noon; at.Before(noon.Add(90 * 24 * time.Hour)); at = at.Add(time.Hour) {
		c.Add(at, event.ViewItem, "often", 1)
	}
	if len(c.hours.buckets) != hoursKept || len(c.days.buckets) != daysKept {
		t.Errorf("%d hours, %d days", len(c.hours.buckets), len(c.days.buckets))
	}
	var flood Counters
	for i := range 5 * hourEntries {
		flood.Add(noon, event.ViewItem, fmt.Sprint("rare", i), 1)
		flood.Add(noon, event.ViewItem, "often", 1)
	}
	if n := len(flood.hours.buckets[floorDiv(noon.Unix(), 3600)]); n > 2*hourEntries {
		t.Errorf("%d entries in an hour", n)
	}
	want := []Count{{"often", 5 * hourEntries}}
	if diff := cmp.Diff(want, flood.Top(noon, time.Hour, event.ViewItem, nil, 1)); diff != "" {
		t.Error(diff)
	}
}

// TestSumOracle compares Top with a plain sum over the events of a window of whole hours.
func TestSumOracle(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var c Counters
		end := noon.Truncate(time.Hour)
		window := time.Duration(rapid.IntRange(1, 40).Draw(t, "hours")) * time.Hour
		want := map[string]float64{}
		for range rapid.IntRange(0, 60).Draw(t, "events") {
			at := end.Add(-time.Duration(rapid.IntRange(0, 47*60).Draw(t, "minutes ago")) * time.Minute)
			item := rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "item")
			n := rapid.Int64Range(1, 5).Draw(t, "n")
			c.Add(at, event.ViewItem, item, n)
			if !at.Before(end.Add(-window)) {
				want[item] += float64(n)
			}
		}
		got := map[string]float64{}
		for _, x := range c.Top(end, window, event.ViewItem, nil, 10) {
			got[x.ItemID] = x.Score
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatal(diff)
		}
		data := c.Append(nil)
		again, err := Decode(data)
		if err != nil || !bytes.Equal(again.Append(nil), data) {
			t.Fatalf("round trip: %v", err)
		}
	})
}

func TestDecodeVersions(t *testing.T) {
	var c Counters
	data := c.Append(nil)
	data[0] = version + 1
	if _, err := Decode(data); !errors.Is(err, event.ErrNewerVersion) {
		t.Errorf("a newer version: %v", err)
	}
	for _, bad := range [][]byte{nil, {0}, {version}, append(c.Append(nil), 0)} {
		if _, err := Decode(bad); !errors.Is(err, event.ErrCorrupt) {
			t.Errorf("%v: %v", bad, err)
		}
	}
}

func FuzzDecode(f *testing.F) {
	var c Counters
	f.Add(c.Append(nil))
	c.Add(noon, event.ViewItem, "lamp", 3)
	c.Add(noon.Add(-time.Hour), event.Purchase, "chair", 1)
	f.Add(c.Append(nil))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := Decode(data)
		if err != nil {
			return
		}
		c.Add(noon, event.ViewItem, "lamp", 1)
		c.Top(noon, 24*time.Hour, "", func(event.Type) float64 { return 1 }, 5)
		form := c.Append(nil)
		again, err := Decode(form)
		if err != nil || !bytes.Equal(again.Append(nil), form) {
			t.Fatalf("what was decoded does not survive a round trip: %v", err)
		}
	})
}
