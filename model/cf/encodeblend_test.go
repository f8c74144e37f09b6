package cf

import (
	"bufio"
	"bytes"
	"errors"
	"math"
	"testing"

	"github.com/cespare/xxhash/v2"

	"github.com/attune-shop/attune/model/cf/cftest"
	"github.com/attune-shop/attune/model/cf/sparse"
	"github.com/attune-shop/attune/model/event"
)

func TestSequencesAreStored(t *testing.T) {
	for name, d := range cftest.Trips() {
		q, err := sequenceOf(t.Context(), d, 2, nil)
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
		var rc recollection
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
			for k := range got.parts() {
				for _, trail := range cftest.TrailsOf(d) {
					got.score(k, trail, &rc, &sums)
				}
			}
		}
	}
}

func TestSequencesThatCannotBeAreRefused(t *testing.T) {
	for what, spoil := range map[string]func(q *sequence){
		"a visit of none":     func(q *sequence) { q.visits.ends[1] = q.visits.ends[0] },
		"a visit of too many": func(q *sequence) { q.visits = visits{make([]int32, maxVisit+1), []int64{maxVisit + 1}, []uint32{1}} },
		"visits in no order":  func(q *sequence) { q.visits.starts[0] = math.MaxUint32 },
		"an unknown item":     func(q *sequence) { q.visits.items[3] = 80 },
		"an item below 0":     func(q *sequence) { q.visits.items[3] = -1 },
		"columns in no order": func(q *sequence) { q.moves[0].Columns[1] = q.moves[0].Columns[0] },
		"no chance":           func(q *sequence) { q.moves[0].Values[2] = 0 },
		"chance of no number": func(q *sequence) { q.moves[0].Values[2] = float32(math.Inf(1)) },
		"no moves":            func(q *sequence) { q.moves[2] = moves{} },
	} {
		d := cftest.Walks(3, 60, 80, 60)
		q, err := sequenceOf(t.Context(), d, 2, nil)
		if err != nil {
			t.Fatal(err)
		}
		spoil(q)
		if _, err := readSequence(storeSequence(t, q), d.Items()); !errors.Is(err, event.ErrCorrupt) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func storeSequence(t *testing.T, q *sequence) []byte {
	t.Helper()
	var stored bytes.Buffer
	e := &encoder{digest: xxhash.New(), w: bufio.NewWriter(&stored)}
	e.blend(&blend{sequence: q})
	if err := errors.Join(e.err, e.w.Flush()); err != nil {
		t.Fatal(err)
	}
	return stored.Bytes()
}

func readSequence(stored []byte, items int) (*sequence, error) {
	d := &decoder{r: bufio.NewReader(bytes.NewReader(stored)), digest: xxhash.New()}
	s := &Snapshot{algorithm: Blend}
	if err := d.blend(s, items); err != nil {
		return nil, err
	}
	return s.blend.sequence, nil
}
