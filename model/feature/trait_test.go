package feature

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/attune-shop/attune/model/event"
)

// anyTraits returns attributes that speak of some of so many traits; now and then of none,
// and of some that a trait cannot be.
func anyTraits(rng *rand.Rand, of int) []byte {
	if rng.IntN(10) == 0 {
		return nil
	}
	object := map[string]any{}
	for range rng.IntN(5) {
		values := []any{nil, true, false, rng.IntN(3), rng.NormFloat64(), "", fmt.Sprint("text ", rng.IntN(3)), []int{1}, strings.Repeat("x", 300)}
		object[fmt.Sprint("trait-", rng.IntN(of))] = values[rng.IntN(len(values))]
	}
	if rng.IntN(10) == 0 {
		object["no key"] = "x"
	}
	data, _ := json.Marshal(object) // what is in it has a JSON form
	return data
}

// identify is an event that speaks of traits, given as JSON.
func identify(id, traits string, at time.Duration) event.Event {
	return event.Event{ID: id, Type: event.Identify, UserID: "u", Attributes: []byte(traits), OccurredAt: newest.Add(at)}
}

// identified is a state with traits of all kinds.
func identified() *State {
	s := visit(2)
	for _, e := range []event.Event{
		identify("i1", `{"tier":"gold","newsletter":true,"age":41.5,"left":"x","zip":""}`, 0),
		identify("i2", `{"newsletter":false,"left":null}`, -time.Hour),
		identify("i3", `{"left":null,"score":-0.0}`, time.Hour),
	} {
		s.Fold(&e)
	}
	return s
}

func TestTraits(t *testing.T) {
	s := identified()
	want := map[string]any{"tier": "gold", "newsletter": true, "age": 41.5, "zip": "", "score": 0.0}
	if d := cmp.Diff(want, s.Traits()); d != "" {
		t.Error(d)
	}
	if n := s.Events(); n != 5 || !s.Newest().Equal(newest.Add(time.Hour)) {
		t.Errorf("%d events until %s", n, s.Newest())
	}
	e := identify("i4", `{}`, 0)
	e.ItemID, e.Lines = "item", []event.Line{{ItemID: "line", Quantity: 1}}
	s.Fold(&e)
	if got := AppendInteractions(nil, &e); got != nil || len(s.Recent()) != 2 {
		t.Errorf("interactions %v, %v", got, s.Recent())
	}
	if got := visit(3).Traits(); got != nil {
		t.Error(got)
	}
}

// TestTraitsAgainstEvents compares traits with what the events themselves say, last one first.
func TestTraitsAgainstEvents(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		events := anyEvents(t, 300)
		got := folded(t, events)
		slices.SortFunc(events, func(a, b event.Event) int {
			if c := b.OccurredAt.Compare(a.OccurredAt); c != 0 {
				return c
			}
			if Fingerprint(a.ID) > Fingerprint(b.ID) {
				return -1
			}
			return 1
		})
		last := map[string]any{}
		var keys []trait
		for i := range events {
			for key, value := range events[i].Traits() {
				if _, later := last[key]; !later {
					last[key] = value
					keys = append(keys, newTrait(0, 0, key, nil))
				}
			}
		}
		slices.SortFunc(keys, compareTraits)
		for i, t := range keys {
			if i >= MaxTraits || last[t.key] == nil {
				delete(last, t.key)
			}
		}
		traits := got.Traits()
		if len(last) == 0 {
			last = nil
		}
		if d := cmp.Diff(last, traits); d != "" {
			t.Fatal(d)
		}
	})
}

// TestMergeOfTraitsInAnyGrouping: the same bytes come out, also with the traits of a part
// taken in twice.
func TestMergeOfTraitsInAnyGrouping(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		events := anyEvents(t, 200)
		parts := make([]*State, 4)
		for i := range parts {
			parts[i] = &State{}
		}
		for i := range events {
			events[i].ID = fmt.Sprint("e", i/3) // other visitors have the same ids
			parts[i%4].Fold(&events[i])
		}
		a, b, c, d := parts[0], parts[1], parts[2], parts[3]
		want := Merge(a, b, c, d).Append(nil)
		for _, got := range []*State{Merge(d, c, b, a), Merge(Merge(a, b), Merge(c, d)), Merge(a, Merge(d, Merge(b, c)))} {
			if !bytes.Equal(got.Append(nil), want) {
				t.Fatal("another grouping gives other bytes")
			}
		}
		twice := Merge(a, b, c, d)
		for i := range c.traits {
			twice.set(c.traits[i])
		}
		if !bytes.Equal(twice.Append(nil), want) {
			t.Fatal("the same traits again give other bytes")
		}
	})
}

// TestTraitsOfTheSameInstant: two visitors' events may be equal in time and id.
func TestTraitsOfTheSameInstant(t *testing.T) {
	values := []string{`null`, `false`, `true`, `1`, `2`, `-1`, `"a"`, `"b"`}
	for _, x := range values {
		for _, y := range values {
			var a, b State
			one, two := identify("i", `{"x":`+x+`}`, 0), identify("i", `{"x":`+y+`}`, 0)
			a.Fold(&one)
			b.Fold(&two)
			if !bytes.Equal(Merge(&a, &b).Append(nil), Merge(&b, &a).Append(nil)) {
				t.Errorf("%s and %s: the first one decides", x, y)
			}
		}
	}
}

// TestTraitsStoredFormStays asks for the bytes of version 2, which stores hold, and for
// those of version 1 where no traits were spoken of.
func TestTraitsStoredFormStays(t *testing.T) {
	var s State
	for _, e := range []event.Event{
		{ID: "1", Type: event.Identify, Attributes: []byte(`{"b":1.5,"a":"x","c":true,"d":false}`), OccurredAt: time.UnixMicro(5)},
		{ID: "2", Type: event.Identify, Attributes: []byte(`{"c":null}`), OccurredAt: time.UnixMicro(9)},
	} {
		s.Fold(&e)
	}
	const want = "02" + "0000" + "01" + "0d0a04" + "02" + "011a0002" + "011b0002" +
		"03" + "8b59801662b52160" + "d46405367612b4b7" + "0000" +
		"04" + "010164" + "04d46405367612b4b7" + // d, 4 before the last
		"0b0162" + "000000000000f83f" + // b, of the same event
		"000163" + "008b59801662b52160" + // c, removed
		"040161" + "04d46405367612b4b7" + "0178"
	if got := fmt.Sprintf("%x", s.Append(nil)); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if data := visit(3).Append(nil); data[0] != withoutTraits {
		t.Errorf("version %d without traits", data[0])
	}
}

// outdated is a state as version 1 wrote it where identify was a custom type.
func outdated() []byte {
	var s State
	s.Fold(&event.Event{ID: "1", Type: "identifx", ItemID: "a", OccurredAt: newest})
	return bytes.Replace(s.Append(nil), []byte("identifx"), []byte("identify"), 1)
}

func TestIdentifyAsACustomTypeIsOutdated(t *testing.T) {
	data := outdated()
	if _, err := Decode(data); !errors.Is(err, ErrOutdated) {
		t.Error(err)
	}
	data[0] = withTraits // which never wrote it so
	if _, err := Decode(data); !errors.Is(err, event.ErrCorrupt) {
		t.Error(err)
	}
}

// TestKnownTypesHaveRoom: numbers of types share bytes with what stands for custom ones.
func TestKnownTypesHaveRoom(t *testing.T) {
	for n := range uint8(255) {
		if kind, known := event.TypeOf(n); known && (n >= customTag || n >= firstCustom || uint32(n) >= customBase) {
			t.Errorf("%s: the number %d is taken", kind, n)
		}
	}
}

// TestDecodeRefusesBadTraits tampers with states that are then written as they should not be.
func TestDecodeRefusesBadTraits(t *testing.T) {
	for name, tamper := range map[string]func(*State){
		"out of order":              func(s *State) { s.traits[0], s.traits[1] = s.traits[1], s.traits[0] },
		"one twice":                 func(s *State) { s.traits[1] = s.traits[0] },
		"an unknown kind":           func(s *State) { s.traits[0].kind = traitKinds },
		"before the first":          func(s *State) { s.traits[0].at = newest.Add(-2 * time.Hour).UnixMicro() },
		"after the last":            func(s *State) { s.traits[0].at = newest.Add(2 * time.Hour).UnixMicro() },
		"too many":                  func(s *State) { s.traits = slices.Repeat(s.traits, 20) },
		"a key that is none":        func(s *State) { s.traits[0].key = "4" },
		"no number":                 func(s *State) { s.traits[0].kind, s.traits[0].number = traitNumber, 0x7ff8<<48 },
		"a text too long":           func(s *State) { s.traits[0].kind, s.traits[0].text = traitText, strings.Repeat("x", 257) },
		"without an identify event": func(s *State) { s.kinds, s.cells = s.kinds[:1], s.cells[:2] },
	} {
		s := identified()
		if _, err := Decode(s.Append(nil)); err != nil {
			t.Fatal(err)
		}
		tamper(s)
		data := s.Append(nil)
		if data[0] == withoutTraits { // it has no place for them then
			data[0] = withTraits
		}
		if _, err := Decode(data); !errors.Is(err, event.ErrCorrupt) {
			t.Errorf("%s: %v", name, err)
		}
	}
	data := identified().Append(nil)
	for n := range data {
		if _, err := Decode(data[:n]); !errors.Is(err, event.ErrCorrupt) {
			t.Errorf("cut to %d bytes: %v", n, err)
		}
	}
	data[0] = withoutTraits
	if _, err := Decode(data); !errors.Is(err, event.ErrCorrupt) {
		t.Error(err)
	}
}

func BenchmarkFoldTraits(b *testing.B) {
	var s State
	keys := make([]string, MaxTraits)
	for i := range keys {
		keys[i] = fmt.Sprintf("%q:%d", fmt.Sprint("trait-", i), i)
	}
	e := identify("i", "{"+strings.Join(keys, ",")+"}", 0)
	s.Fold(&e)
	data, next := s.Append(nil), shopping(1)
	dst := make([]byte, 0, 1<<16)
	b.ReportAllocs()
	for b.Loop() {
		s, err := Decode(data)
		if err != nil {
			b.Fatal(err)
		}
		s.Fold(&next)
		dst = s.Append(dst[:0])
	}
	b.ReportMetric(float64(len(data)), "bytes")
}
