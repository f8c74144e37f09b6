package cf

import (
	"bufio"
	"bytes"
	"errors"
	"math"
	"testing"

	"github.com/cespare/xxhash/v2"

	"github.com/attune-shop/attune/model/cf/cftest"
	"github.com/attune-shop/attune/model/cf/sequence"
	"github.com/attune-shop/attune/model/cf/sparse"
	"github.com/attune-shop/attune/model/event"
)

func TestSequencesAreStored(t *testing.T) {
	for name, d := range cftest.Trips() {
		q, err := sequence.Fit(t.Context(), d, 2, nil)
		if err != nil {
			t.Fatal(name, err)
		}
		stored := storeSequence(t, q)
		got, err := readSequence(stored, d.Items())
		if err != nil {
			t.Fatal(name, err)
		}
		if !bytes.Equal(storeSequence(t, got), stored) {
			t.Fatalf("%s: read as another", name)
		}
		for n := range min(len(stored), 3000) {
			if _, err := readSequence(stored[:n], d.Items()); !errors.Is(err, event.ErrCorrupt) {
				t.Fatalf("%s: %d of %d bytes: %v", name, n, len(stored), err)
			}
		}
		// A changed number is refused, or is one that scores all the same.
		var rc sequence.Scratch
		var sums sparse.Tally
		sums.Grow(d.Items())
		for n := 3; n < len(stored); n += 1 + len(stored)/500 {
			changed := bytes.Clone(stored)
			changed[n] ^= 0x81
			got, err := readSequence(changed, d.Items())
			if err != nil {
				if !errors.Is(err, event.ErrCorrupt) {
					t.Fatal(name, err)
				}
				continue
			}
			for k := range got.Parts() {
				for _, trail := range cftest.TrailsOf(d) {
					got.Score(k, trail, &rc, &sums)
				}
			}
		}
	}
}

func TestSequencesThatCannotBeAreRefused(t *testing.T) {
	for what, spoil := range map[string]func(q *sequence.Model){
		"a visit of none": func(q *sequence.Model) { q.Visits.Ends[1] = q.Visits.Ends[0] },
		"a visit of too many": func(q *sequence.Model) {
			q.Visits = sequence.Visits{Items: make([]int32, sequence.MaxVisit+1), Ends: []int64{sequence.MaxVisit + 1}, Starts: []uint32{1}}
		},
		"visits in no order":  func(q *sequence.Model) { q.Visits.Starts[0] = math.MaxUint32 },
		"an unknown item":     func(q *sequence.Model) { q.Visits.Items[3] = 80 },
		"an item below 0":     func(q *sequence.Model) { q.Visits.Items[3] = -1 },
		"columns in no order": func(q *sequence.Model) { q.Moves[0].Columns[1] = q.Moves[0].Columns[0] },
		"no chance":           func(q *sequence.Model) { q.Moves[0].Values[2] = 0 },
		"chance of no number": func(q *sequence.Model) { q.Moves[0].Values[2] = float32(math.Inf(1)) },
		"no moves":            func(q *sequence.Model) { q.Moves[2] = sequence.Moves{} },
	} {
		d := cftest.Walks(3, 60, 80, 60)
		q, err := sequence.Fit(t.Context(), d, 2, nil)
		if err != nil {
			t.Fatal(err)
		}
		spoil(q)
		if _, err := readSequence(storeSequence(t, q), d.Items()); !errors.Is(err, event.ErrCorrupt) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func storeSequence(t *testing.T, q *sequence.Model) []byte {
	t.Helper()
	var stored bytes.Buffer
	e := &encoder{digest: xxhash.New(), w: bufio.NewWriter(&stored)}
	e.blend(&blend{sequence: q})
	if err := errors.Join(e.err, e.w.Flush()); err != nil {
		t.Fatal(err)
	}
	return stored.Bytes()
}

func readSequence(stored []byte, items int) (*sequence.Model, error) {
	d := &decoder{r: bufio.NewReader(bytes.NewReader(stored)), digest: xxhash.New()}
	s := &Snapshot{algorithm: Blend}
	if err := d.blend(s, items); err != nil {
		return nil, err
	}
	return s.blend.sequence, nil
}
