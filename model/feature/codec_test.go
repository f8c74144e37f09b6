package feature

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/attune-shop/attune/model/event"
)

// visit folds n events of everyday shopping.
func visit(n int) *State {
	var s State
	for i := range n {
		e := shopping(i)
		s.Fold(&e)
	}
	return &s
}

func shopping(i int) event.Event {
	e := event.Event{
		ID: fmt.Sprintf("0b0f2c9e-3a57-4a0a-8a53-%012d", i), UserID: "user-12345", Type: event.ViewItem,
		ItemID: fmt.Sprint("SKU-", 100000+i*7919%800), OccurredAt: newest.Add(time.Duration(i*i%9973) * -37 * time.Minute),
	}
	switch i % 10 {
	case 3:
		e.Type = event.AddToCart
	case 5:
		e.Type, e.ItemID = event.Search, ""
	case 7:
		e.Type = event.Purchase
		e.Lines = []event.Line{{ItemID: e.ItemID, Quantity: 2}, {ItemID: "SKU-1", Quantity: 1}}
		e.ItemID, e.Value = "", event.Money{Currency: "EUR", Minor: 4999}
	case 8:
		e.Type = "video_played"
	}
	return e
}

func TestEmptyState(t *testing.T) {
	var s State
	data := s.Append(nil)
	got, err := Decode(data)
	if err != nil || got.Events() != 0 || !got.Newest().IsZero() || !got.First().IsZero() || got.Presence("x") != Absent {
		t.Fatalf("%+v, %v", got, err)
	}
	if s := got.Summary(newest); s.Types != nil || got.Recent() != nil || got.Cart() != nil {
		t.Errorf("%+v", s)
	}
	if !bytes.Equal(Merge().Append(nil), data) || !bytes.Equal(Merge(nil, got).Append(nil), data) {
		t.Error("to merge nothing gives something")
	}
}

// TestStoredFormStays asks for the bytes of version 1, which stores hold.
func TestStoredFormStays(t *testing.T) {
	var s State
	s.Fold(&event.Event{ID: "1", Type: event.AddToCart, ItemID: "a", OccurredAt: time.UnixMicro(5)})
	s.Fold(&event.Event{
		ID: "2", Type: event.Purchase, Value: event.Money{Currency: "EUR", Minor: 7},
		Lines: []event.Line{{ItemID: "a", Quantity: 2}}, OccurredAt: time.UnixMicro(6),
	})
	s.Fold(&event.Event{ID: "3", Type: "mine", OccurredAt: time.UnixMicro(4)})
	const want = "01" + "0201046" + "16d696e65" + "0101" + // names a, mine; mine is a custom type
		"03" + "040a00" + "080200" + "100300" + // add_to_cart at 5, purchase at 6, mine at 4
		"06" + "01080001" + "01090001" + // each a cell of month 0 and one of day 0
		"0110d2aa9502010e" + "0111d2aa9502010e" + "01200001" + "01210001" +
		"04" + "a42c16f52a7c1626" + "8b59801662b52160" + "d46405367612b4b7" +
		"02" + "f8f9ffffffffffff8b59801662b5216000" + "02" + "1401d46405367612b4b700" +
		"01" + "f8f9ffffffffffff8b59801662b5216000" + "02"
	if got := fmt.Sprintf("%x", s.Append(nil)); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestDecodeRefuses(t *testing.T) {
	data := visit(40).Append(nil)
	for n := range data {
		if _, err := Decode(data[:n]); !errors.Is(err, event.ErrCorrupt) {
			t.Errorf("cut to %d bytes: %v", n, err)
		}
	}
	if _, err := Decode(append(bytes.Clone(data), 0)); !errors.Is(err, event.ErrCorrupt) {
		t.Error(err)
	}
	data[0] = withTraits + 1
	if _, err := Decode(data); !errors.Is(err, event.ErrNewerVersion) {
		t.Error(err)
	}
}

// TestDecodeRefusesNonsense tampers with states that are then written as they should not be.
func TestDecodeRefusesNonsense(t *testing.T) {
	for name, tamper := range map[string]func(*State){
		"custom type without events": func(s *State) {
			s.kinds = s.kinds[:len(s.kinds)-1]
			s.cells = slices.DeleteFunc(s.cells, func(c cell) bool { return c.key.slot() == firstCustom })
		},
		"known type as a custom one":  func(s *State) { s.table.text[s.customs[0].name] = "view_item" },
		"catch-all as a custom type":  func(s *State) { s.table.text[s.customs[0].name] = string(Other) },
		"types out of order":          func(s *State) { s.kinds[0].slot, s.kinds[1].slot = s.kinds[1].slot, s.kinds[0].slot },
		"type that nobody knows":      func(s *State) { s.kinds[len(s.kinds)-1].slot = 62 },
		"last before first":           func(s *State) { s.kinds[0].last = s.kinds[0].first - 1 },
		"time before 1970":            func(s *State) { s.kinds[0].first = -1 },
		"time beyond the last":        func(s *State) { s.kinds[0].last = maxMicros + 1 },
		"cells out of order":          func(s *State) { s.cells[0], s.cells[1] = s.cells[1], s.cells[0] },
		"cell of a type not there":    func(s *State) { s.cells[0].key = newKey(2, false, 0, 0) },
		"day too old":                 func(s *State) { s.cells = append(s.cells, cell{newKey(16, true, 1, s.firstDay()-1), 1, 0}) },
		"day after the newest":        func(s *State) { s.cells = append(s.cells, cell{newKey(16, true, 1, s.firstDay()+DayBuckets), 1, 0}) },
		"fingerprints out of order":   func(s *State) { s.prints[0], s.prints[1] = s.prints[1], s.prints[0] },
		"too many fingerprints":       func(s *State) { s.prints = make([]uint64, MaxFingerprints+1) },
		"interactions out of order":   func(s *State) { s.recent[0].print, s.recent[1] = 0, s.recent[0] },
		"too many interactions":       func(s *State) { s.recent = make([]entry, MaxRecent+1) },
		"interaction of unknown type": func(s *State) { s.recent[0].kind = 14 },
	} {
		s := visit(12)
		if _, err := Decode(s.Append(nil)); err != nil {
			t.Fatal(err)
		}
		tamper(s)
		if _, err := Decode(s.Append(nil)); !errors.Is(err, event.ErrCorrupt) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// FuzzDecode asks that what Decode takes is what Append writes, and that the state works.
func FuzzDecode(f *testing.F) {
	for _, n := range []int{0, 1, 3, 12} {
		f.Add(visit(n).Append(nil))
	}
	many := visit(2)
	for i := range 40 {
		many.Fold(&event.Event{ID: fmt.Sprint(i), Type: event.Type(fmt.Sprint("t", i)), ItemID: "a", OccurredAt: newest})
	}
	f.Add(many.Append(nil))
	f.Add(identified().Append(nil))
	f.Add(outdated())
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := Decode(data)
		if err != nil {
			if !errors.Is(err, event.ErrCorrupt) && !errors.Is(err, event.ErrNewerVersion) && !errors.Is(err, ErrOutdated) {
				t.Fatal(err)
			}
			return
		}
		if again := s.Append(nil); !bytes.Equal(again, data) {
			t.Fatalf("taken:\n%x\nwritten:\n%x", data, again)
		}
		s.Summary(newest)
		s.Recent()
		s.Cart()
		s.Bought()
		s.Seen()
		s.Traits()
		s.Since(newest)
		e := shopping(7)
		merged := Merge(s, visit(3), identified())
		merged.Fold(&e)
		if _, err := Decode(merged.Append(nil)); err != nil {
			t.Fatal(err)
		}
	})
}

func benchmarkFold(b *testing.B, n int) {
	data, next := visit(n).Append(nil), shopping(n)
	next.OccurredAt = newest.Add(time.Minute)
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

func BenchmarkFold20(b *testing.B)   { benchmarkFold(b, 20) }
func BenchmarkFold256(b *testing.B)  { benchmarkFold(b, 256) }
func BenchmarkFold5000(b *testing.B) { benchmarkFold(b, 5000) }

func BenchmarkDecode256(b *testing.B) {
	data := visit(256).Append(nil)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Decode(data); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppend256(b *testing.B) {
	s, err := Decode(visit(256).Append(nil))
	if err != nil {
		b.Fatal(err)
	}
	dst := make([]byte, 0, 1<<16)
	b.ReportAllocs()
	for b.Loop() {
		dst = s.Append(dst[:0])
	}
}

func BenchmarkSummary256(b *testing.B) {
	s := visit(256)
	b.ReportAllocs()
	for b.Loop() {
		s.Summary(newest)
	}
}

// BenchmarkRebuild folds a long history into one state, as a rebuild does.
func BenchmarkRebuild(b *testing.B) {
	const n = 20_000
	for b.Loop() {
		visit(n)
	}
	b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "events/s")
}
