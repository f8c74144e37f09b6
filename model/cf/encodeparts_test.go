package cf

import (
	"bufio"
	"bytes"
	"errors"
	"math"
	"slices"
	"testing"

	"github.com/cespare/xxhash/v2"

	"github.com/attune-shop/attune/model/event"
)

func TestPartsAreStored(t *testing.T) {
	for name, d := range trips() {
		p := newParts(t, d)
		stored := p.store(t)
		got, err := readParts(stored, d.Items())
		if err != nil {
			t.Fatal(name, err)
		}
		for _, trail := range trailsOf(d) {
			p.sums.reset()
			got.sums.reset()
			for part, score := range p.scores() {
				score(trail)
				got.scores()[part](trail)
				if !slices.Equal(p.sums.sum, got.sums.sum) {
					t.Fatalf("%s: %s scores %v otherwise", name, part, trail)
				}
			}
		}
		for n := range min(len(stored), 3000) {
			if _, err := readParts(stored[:n], d.Items()); !errors.Is(err, event.ErrCorrupt) {
				t.Fatalf("%s: %d of %d bytes: %v", name, n, len(stored), err)
			}
		}
		// A changed number is refused, or is one that scores all the same.
		for n := 3; n < len(stored); n += 1 + len(stored)/500 {
			changed := bytes.Clone(stored)
			changed[n] ^= 0x81
			got, err := readParts(changed, d.Items())
			if err != nil {
				if !errors.Is(err, event.ErrCorrupt) {
					t.Fatal(name, err)
				}
				continue
			}
			for _, score := range got.scores() {
				for _, trail := range trailsOf(d) {
					score(trail)
				}
			}
		}
	}
}

func TestPartsThatCannotBeAreRefused(t *testing.T) {
	for what, spoil := range map[string]func(p *parts){
		"a visit of none": func(p *parts) { p.recall.visits.ends[1] = p.recall.visits.ends[0] },
		"a visit of too many": func(p *parts) {
			p.recall.visits = visits{make([]int32, maxVisit+1), []int64{maxVisit + 1}, []uint32{1}}
		},
		"visits in no order":   func(p *parts) { p.recall.visits.starts[0] = math.MaxUint32 },
		"an unknown item":      func(p *parts) { p.recall.visits.items[3] = 80 },
		"an item below 0":      func(p *parts) { p.recall.visits.items[3] = -1 },
		"a decay of 0":         func(p *parts) { p.recall.decay = 0 },
		"a decay of no number": func(p *parts) { p.recall.decay = math.NaN() },
		"a future of 0":        func(p *parts) { p.recall.future = 0 },
		"a great power":        func(p *parts) { p.recall.power = maxPower + 1 },
		"a power below 0":      func(p *parts) { p.recall.power = -1 },
		"too many moments":     func(p *parts) { p.recall.moments = maxMoments + 1 },
		"a pair twice":         func(p *parts) { p.after.seconds[1] = p.after.seconds[0] },
		"a pair of an unknown": func(p *parts) { p.after.seconds[p.after.ends[0]-1] = 80 },
		"a pair of none":       func(p *parts) { p.after.next.ends[1] = p.after.next.ends[0] },
		"columns in no order":  func(p *parts) { p.after.next.columns[1] = p.after.next.columns[0] },
		"no chance":            func(p *parts) { p.after.next.values[2] = 0 },
		"chance of no number":  func(p *parts) { p.after.next.values[2] = float32(math.Inf(1)) },
	} {
		d := walks(3, 60, 80, 60)
		p := newParts(t, d)
		spoil(p)
		if _, err := readParts(p.store(t), d.Items()); !errors.Is(err, event.ErrCorrupt) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// store writes the parts one after the other.
func (p *parts) store(t *testing.T) []byte {
	t.Helper()
	var stored bytes.Buffer
	e := &encoder{digest: xxhash.New(), w: bufio.NewWriter(&stored)}
	e.rows(&p.moves.rows)
	e.after(&p.after)
	e.recall(&p.recall)
	if err := errors.Join(e.err, e.w.Flush()); err != nil {
		t.Fatal(err)
	}
	return stored.Bytes()
}

// readParts reads what store writes.
func readParts(stored []byte, items int) (*parts, error) {
	d := &decoder{r: bufio.NewReader(bytes.NewReader(stored)), digest: xxhash.New()}
	var p parts
	var err error
	p.sums.grow(items)
	if p.moves.rows, err = d.rows(items); err != nil {
		return nil, err
	}
	if p.after, err = d.after(items); err != nil {
		return nil, err
	}
	p.recall, err = d.recall(items)
	return &p, err
}
