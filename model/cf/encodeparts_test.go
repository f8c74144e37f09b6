package cf

import (
	"bufio"
	"bytes"
	"errors"
	"slices"
	"testing"

	"github.com/cespare/xxhash/v2"

	"github.com/attune-shop/attune/model/event"
)

func TestPartsAreStored(t *testing.T) {
	for name, d := range trips() {
		p := newParts(t, d)
		var stored bytes.Buffer
		e := &encoder{digest: xxhash.New(), w: bufio.NewWriter(&stored)}
		e.rows(&p.moves.rows)
		e.after(&p.after)
		e.recall(&p.recall)
		if err := errors.Join(e.err, e.w.Flush()); err != nil {
			t.Fatal(err)
		}
		got, err := readParts(stored.Bytes(), d.Items())
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
		for n := range min(stored.Len(), 3000) {
			if _, err := readParts(stored.Bytes()[:n], d.Items()); !errors.Is(err, event.ErrCorrupt) {
				t.Fatalf("%s: %d of %d bytes: %v", name, n, stored.Len(), err)
			}
		}
		// A changed number is refused, or is one that scores all the same.
		for n := 3; n < stored.Len(); n += 1 + stored.Len()/500 {
			changed := bytes.Clone(stored.Bytes())
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

// readParts reads what TestPartsAreStored writes.
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
