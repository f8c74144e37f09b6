package cf

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"reflect"
	"runtime"
	"testing"
	"testing/iotest"

	"github.com/cespare/xxhash/v2"

	"github.com/attune-shop/attune/model/cf/cftest"
	"github.com/attune-shop/attune/model/cf/feedback"
	"github.com/attune-shop/attune/model/event"
)

func trained(t testing.TB, algorithm string) *Snapshot {
	t.Helper()
	s, _, _, err := train(t.Context(), cftest.Shop(7, 80, 40, 900), Options{Algorithm: algorithm, Factors: 4, Neighbours: 6, RowItems: 8}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func encoded(t testing.TB, s *Snapshot) []byte {
	t.Helper()
	var data bytes.Buffer
	if _, err := s.WriteTo(&data); err != nil {
		t.Fatal(err)
	}
	return data.Bytes()
}

// TestSnapshotServesTheSameWhenRead compares everything that a Snapshot answers.
func TestSnapshotServesTheSameWhenRead(t *testing.T) {
	history := []feedback.Signal{{Item: 2, Weight: 1}, {Item: 9, Weight: 4}, {Item: 30, Weight: .3}}
	for _, algorithm := range []string{EASE, Spectral, ALS, ItemKNN, Popularity, Blend} {
		s := trained(t, algorithm)
		back := roundTrip(t, s)
		var a, b Scratch
		if !reflect.DeepEqual(s.Score(history, &a), back.Score(history, &b)) {
			t.Errorf("%s: other scores", algorithm)
		}
		if !reflect.DeepEqual(s.Popular(), back.Popular()) || back.Algorithm() != algorithm {
			t.Errorf("%s: other popularity", algorithm)
		}
		for i := range int32(s.Items()) {
			k, ok := back.Index(s.ItemID(i))
			if !ok || k != i || !reflect.DeepEqual(s.Similar(i, 5), back.Similar(i, 5)) ||
				!reflect.DeepEqual(s.Together(i, 5), back.Together(i, 5)) ||
				!reflect.DeepEqual(s.Explain(history, i), back.Explain(history, i)) {
				t.Fatalf("%s: item %d answers otherwise", algorithm, i)
			}
		}
		if _, ok := back.Index("no such item"); ok {
			t.Error("an unknown item has a number")
		}
	}
}

func TestListsAreInOrder(t *testing.T) {
	s := trained(t, ItemKNN)
	for i := range int32(s.Items()) {
		for _, list := range [][]Candidate{s.Similar(i, 4), s.Together(i, 4), s.Popular()} {
			for k := range list {
				if k > 0 && list[k].Score > list[k-1].Score {
					t.Fatalf("list of %d: %v", i, list)
				}
			}
		}
		if len(s.Similar(i, 4)) > 4 || len(s.Similar(i, 0)) > 0 || len(s.Similar(i, -1)) > 0 {
			t.Fatal("too many")
		}
	}
}

// TestEveryDamageIsFound flips each byte and cuts at each length.
func TestEveryDamageIsFound(t *testing.T) {
	for _, algorithm := range []string{EASE, ALS} {
		data := encoded(t, trained(t, algorithm))
		step := max(1, len(data)/2000)
		for i := 0; i < len(data); i += step {
			damaged := bytes.Clone(data)
			damaged[i] ^= 0x40
			if _, err := ReadSnapshot(bytes.NewReader(damaged)); !errors.Is(err, event.ErrCorrupt) && !errors.Is(err, event.ErrNewerVersion) {
				t.Fatalf("byte %d: %v", i, err)
			}
			if _, err := ReadSnapshot(bytes.NewReader(data[:i])); !errors.Is(err, event.ErrCorrupt) {
				t.Fatalf("cut at %d: %v", i, err)
			}
		}
		if _, err := ReadSnapshot(bytes.NewReader(append(data, 0))); !errors.Is(err, event.ErrCorrupt) {
			t.Fatalf("one byte more: %v", err)
		}
	}
}

func TestNewerVersionIsSaid(t *testing.T) {
	data := encoded(t, trained(t, Popularity))
	data[len(magic)]++
	if _, err := ReadSnapshot(bytes.NewReader(data)); !errors.Is(err, event.ErrNewerVersion) {
		t.Fatal(err)
	}
}

func TestReadersErrorIsKept(t *testing.T) {
	data := encoded(t, trained(t, Popularity))
	broken := errors.New("broken")
	r := io.MultiReader(bytes.NewReader(data[:len(data)/2]), iotest.ErrReader(broken))
	if _, err := ReadSnapshot(r); !errors.Is(err, broken) || errors.Is(err, event.ErrCorrupt) {
		t.Fatal(err)
	}
	if _, err := trained(t, Popularity).WriteTo(failing{}); !errors.Is(err, io.ErrShortWrite) {
		t.Fatal(err)
	}
}

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, io.ErrShortWrite }

// TestClaimsAreNotBelieved: few bytes that claim a large model do not get its memory.
func TestClaimsAreNotBelieved(t *testing.T) {
	data := []byte(magic)
	data = binary.LittleEndian.AppendUint16(data, formatVersion)
	data = binary.LittleEndian.AppendUint32(data, uint32(len(ALS)))
	data = append(data, ALS...)
	data = binary.LittleEndian.AppendUint32(data, math.MaxInt32)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := ReadSnapshot(bytes.NewReader(data))
	runtime.ReadMemStats(&after)
	if !errors.Is(err, event.ErrCorrupt) {
		t.Fatal(err)
	}
	if grown := after.TotalAlloc - before.TotalAlloc; grown > 1<<22 {
		t.Fatalf("%d bytes allocated for %d read", grown, len(data))
	}
}

// FuzzReadSnapshot: no bytes make ReadSnapshot panic, and what it accepts serves and is
// written as it was read. The checksum is put right so that the fuzzer gets past it.
func FuzzReadSnapshot(f *testing.F) {
	for _, algorithm := range []string{EASE, ALS, ItemKNN, Popularity, Blend} {
		b := feedback.NewBuilder()
		for k := range 12 {
			b.Add(cftest.Name("u", k%4), cftest.Name("i", k%5), 1, int64(k))
			b.AddBasket([]string{cftest.Name("i", k%2), cftest.Name("i", 2+k%2)})
		}
		plan := Plan{Algorithm: algorithm, Settings: Settings{Lambda: 1}}
		if algorithm == Blend {
			plan.sequenced = true
			for k := range plan.weights {
				plan.weights[k] = make([]float32, 1+10+commonFeatures)
			}
			plan.shares = evenShares[float32](10)
		}
		s, err := Fit(f.Context(), b.Build(), plan, Options{Factors: 2}, nil)
		if err != nil {
			f.Fatal(err)
		}
		data := encoded(f, s)
		f.Add(data[:len(data)-8])
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		data = binary.LittleEndian.AppendUint64(bytes.Clone(data), xxhash.Sum64(data))
		s, err := ReadSnapshot(bytes.NewReader(data))
		if err != nil {
			if !errors.Is(err, event.ErrCorrupt) && !errors.Is(err, event.ErrNewerVersion) {
				t.Fatal(err)
			}
			return
		}
		var sc Scratch
		history := []feedback.Signal{{Item: 0, Weight: 1}, {Item: 1, Weight: 2}, {Item: 2, Weight: .5}}
		s.Score(history, &sc)
		for i := range int32(s.Items()) {
			s.Explain(history, i)
			s.Similar(i, 3)
			s.Together(i, 3)
		}
		if version := data[len(magic)]; version == formatVersion && !bytes.Equal(encoded(t, s), data) {
			t.Fatal("written otherwise than read")
		}
	})
}

// TestNumbersThatCannotBeAreRefused puts the checksum right.
func TestNumbersThatCannotBeAreRefused(t *testing.T) {
	for what, spoil := range map[string]func(s *Snapshot){
		"popularity below 0":     func(s *Snapshot) { s.popular[1] = -2 },
		"factors below 0":        func(s *Snapshot) { s.settings.Filter.Factors = -1 },
		"a blend where none is":  func(s *Snapshot) { s.blend = &blend{base: []string{EASE}} },
		"shares where none are":  func(s *Snapshot) { s.blend = &blend{shares: []float32{1}} },
		"weights where none are": func(s *Snapshot) { s.blend = &blend{}; s.blend.weights[0] = []float32{1} },
	} {
		s := trained(t, Popularity)
		spoil(s)
		if _, err := ReadSnapshot(bytes.NewReader(encoded(t, s))); !errors.Is(err, event.ErrCorrupt) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// TestABlendOfVersion1IsRefused: that version had none.
func TestABlendOfVersion1IsRefused(t *testing.T) {
	data := binary.LittleEndian.AppendUint16([]byte(magic), 1)
	data = binary.LittleEndian.AppendUint32(data, uint32(len(Blend)))
	data = append(data, Blend...)
	data = append(data, make([]byte, 7*4)...) // no items, rows, factors and penalty
	data = binary.LittleEndian.AppendUint64(data, xxhash.Sum64(data))
	if _, err := ReadSnapshot(bytes.NewReader(data)); !errors.Is(err, event.ErrCorrupt) {
		t.Fatal(err)
	}
}
