package event

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// anyEvent draws events, most of them not valid.
func anyEvent(t *rapid.T) Event {
	text := rapid.OneOf(rapid.Just(""), rapid.String())
	when := func() time.Time {
		if rapid.Bool().Draw(t, "no time") {
			return time.Time{}
		}
		return time.UnixMicro(rapid.Int64Range(-1<<50, 1<<60).Draw(t, "time")).UTC()
	}
	money := rapid.Custom(func(t *rapid.T) Money {
		return Money{rapid.SampledFrom([]string{"", "EUR", "USD", "not one"}).Draw(t, "currency"), rapid.Int64().Draw(t, "minor")}
	})
	e := Event{
		ID: text.Draw(t, "id"), Type: Type(rapid.SampledFrom([]string{"", "view_item", "refund", "mine"}).Draw(t, "type")),
		UserID: text.Draw(t, "user"), AnonymousID: text.Draw(t, "anonymous"), SessionID: text.Draw(t, "session"),
		ItemID: text.Draw(t, "item"), Value: money.Draw(t, "value"),
		OccurredAt: when(), SentAt: when(), ReceivedAt: when(),
		SearchQuery: text.Draw(t, "query"), RecommendationID: text.Draw(t, "recommendation"), Placement: text.Draw(t, "placement"),
	}
	for range rapid.IntRange(0, 4).Draw(t, "lines") {
		e.Lines = append(e.Lines, Line{text.Draw(t, "item"), rapid.Int64().Draw(t, "quantity"), money.Draw(t, "price")})
	}
	if rapid.Bool().Draw(t, "attributes") {
		e.Attributes = []byte(`{"a":1}`)
	}
	return e
}

func TestEventRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e := anyEvent(t)
		data := e.Append([]byte("before"))
		got, err := Decode(data[6:])
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(e, got); d != "" {
			t.Fatal(d)
		}
		for n := range data[6:] {
			if _, err := Decode(data[6 : 6+n]); !errors.Is(err, ErrCorrupt) {
				t.Fatalf("cut to %d bytes: %v", n, err)
			}
		}
	})
}

func TestItemRoundTrip(t *testing.T) {
	for _, i := range []Item{
		{},
		{ID: "x", Availability: Backorder},
		{
			ID: "lamp", Title: "Lamp", Categories: []string{"a > b", "c"}, Brand: "B", Price: Money{"EUR", 5},
			Availability: Preorder, ImageURL: "i", PageURL: "p", Attributes: []byte(`{"a":1}`),
			AvailableFrom: now, AvailableUntil: now.Add(time.Hour),
		},
	} {
		got, err := DecodeItem(i.Append(nil))
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(i, got); d != "" {
			t.Error(d)
		}
	}
}

func TestDecodeRefuses(t *testing.T) {
	e, i := sale(), Item{ID: "x"}
	newer := e.Append(nil)
	newer[0]++
	if _, err := Decode(newer); !errors.Is(err, ErrNewerVersion) {
		t.Error(err)
	}
	if _, err := Decode(append(e.Append(nil), 0)); !errors.Is(err, ErrCorrupt) {
		t.Error(err)
	}
	newer = i.Append(nil)
	newer[0]++
	if _, err := DecodeItem(newer); !errors.Is(err, ErrNewerVersion) {
		t.Error(err)
	}
	if _, err := Decode([]byte{1, uint8(len(numbered)), 0}); !errors.Is(err, ErrNewerVersion) {
		t.Errorf("a type that a later version may know: %v", err)
	}
	for _, bad := range [][]byte{nil, {0}, {1}, append(i.Append(nil), 0)} {
		if _, err := DecodeItem(bad); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%v: %v", bad, err)
		}
	}
}

func TestNumbersOfTypes(t *testing.T) {
	for n := range uint8(255) {
		if typ, ok := TypeOf(n); ok && typ.Number() != n {
			t.Errorf("%s: number %d, stored under %d", typ, typ.Number(), n)
		}
	}
	if Type("mine").Number() != 0 {
		t.Error("a custom type has a number")
	}
}

func FuzzEventDecode(f *testing.F) {
	e := sale()
	f.Add(e.Append(nil))
	f.Add([]byte{1, 0, 1, 'x', 0xff, 0x7f})
	f.Fuzz(func(t *testing.T, data []byte) {
		e, err := Decode(data)
		if err != nil {
			if !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrNewerVersion) {
				t.Fatal(err)
			}
			return
		}
		e.Validate(now)
		once := e.Append(nil)
		again, err := Decode(once)
		if err != nil || !bytes.Equal(once, again.Append(nil)) {
			t.Fatalf("%v: %x became %x", err, data, once)
		}
		e.Complete(now)
	})
}

func FuzzItemDecode(f *testing.F) {
	i := Item{ID: "x", Categories: []string{"a"}, Price: Money{"EUR", 1}, AvailableFrom: now}
	f.Add(i.Append(nil))
	f.Fuzz(func(t *testing.T, data []byte) {
		i, err := DecodeItem(data)
		if err != nil {
			if !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrNewerVersion) {
				t.Fatal(err)
			}
			return
		}
		i.Validate()
		once := i.Append(nil)
		again, err := DecodeItem(once)
		if err != nil || !bytes.Equal(once, again.Append(nil)) {
			t.Fatalf("%v: %x became %x", err, data, once)
		}
	})
}

func view() Event {
	e := Event{
		ID: "0b0f2c9e-3a57-4a0a-8a53-0ce7a4a8c1ee", Type: ViewItem, UserID: "user-12345", SessionID: "s-998877",
		ItemID: "SKU-123456", OccurredAt: now, RecommendationID: "r-123", Placement: "home",
	}
	e.Complete(now.Add(time.Second))
	return e
}

func BenchmarkEventAppend(b *testing.B) {
	e, dst := view(), make([]byte, 0, 512)
	b.ReportAllocs()
	for b.Loop() {
		dst = e.Append(dst[:0])
	}
	b.ReportMetric(float64(len(dst)), "bytes")
}

func BenchmarkEventDecode(b *testing.B) {
	e := view()
	data := e.Append(nil)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Decode(data); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkEventValidate(b *testing.B) {
	e := view()
	b.ReportAllocs()
	for b.Loop() {
		if e.Validate(now) != nil {
			b.Fatal()
		}
	}
}

func BenchmarkEventDerivedID(b *testing.B) {
	e := view()
	b.ReportAllocs()
	for b.Loop() {
		e.ID = ""
		e.Complete(now)
	}
}
