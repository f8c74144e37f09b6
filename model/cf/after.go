package cf

import (
	"context"
	"slices"
)

const (
	// afterClicks is how many interactions pairs are counted in, those of the newest visits. It
	// bounds the pairs kept, 12 bytes each and 8 an entry.
	afterClicks = 1 << 24
	// afterWidth is how many items a pair keeps, the strongest.
	afterWidth = 50
)

// after is what came next after two items, one right after the other. The pairs that begin with
// item a are those from ends[a-1] to ends[a]-1; pair x goes on with item seconds[x], increasing
// among those of a, and next, pairs x items, has the chances of what came then. All fields are
// stored, none is derived.
type after struct {
	ends    []int64
	seconds []int32
	next    rows
}

// afterOf counts what came after pairs of items:
//
//	m_abj = n_abj / (sum_j n_abj + 1)
//
// with n_abj the number of places in visits where a, b and j follow each other: a Markov chain
// of the second order with shrinkage. O(n log n) time for n interactions; the result does not
// depend on the number of workers.
func afterOf(ctx context.Context, v *visits, items, workers int, done func(float64)) (after, error) {
	newest := v.newest(afterClicks)
	at := placesOf(&newest, items)
	type part struct {
		seconds []int32
		next    [][]Candidate
	}
	parts := make([]part, items)
	err := each(ctx, items, workers, 64, done, func(_, from, to int) error {
		var seen []uint64 // the second item, then the third
		for a := from; a < to; a++ {
			seen = seen[:0]
			for _, p := range at.of(a) {
				if int64(p)+2 < newest.ends[at.visit[p]] {
					seen = append(seen, uint64(newest.items[p+1])<<32|uint64(newest.items[p+2]))
				}
			}
			slices.Sort(seen)
			for rest := seen; len(rest) > 0; {
				var next []Candidate
				b := int32(rest[0] >> 32)
				next, rest = afterPair(rest)
				parts[a].seconds = append(parts[a].seconds, b)
				parts[a].next = append(parts[a].next, next)
			}
		}
		return nil
	})
	if err != nil {
		return after{}, err
	}
	m := after{ends: make([]int64, items)}
	var next [][]Candidate
	for a, part := range parts {
		m.seconds, next = append(m.seconds, part.seconds...), append(next, part.next...)
		m.ends[a] = int64(len(m.seconds))
	}
	m.next = join(next, items)
	return m, nil
}

// afterPair returns the row of the pair whose places seen begins with, and the places of the
// pairs that come after it.
func afterPair(seen []uint64) (next []Candidate, rest []uint64) {
	n := 0
	for n < len(seen) && seen[n]>>32 == seen[0]>>32 {
		j := int32(uint32(seen[n]))
		if n == 0 || seen[n] != seen[n-1] {
			next = append(next, Candidate{Item: j})
		}
		next[len(next)-1].Score++
		n++
	}
	for i := range next {
		next[i].Score /= float32(n + 1)
	}
	return ordered(keepBest(next, afterWidth)), seen[n:]
}

// score adds what came after the two newest items of a trail, newest first; nothing where they
// were never seen in that order with an item after them. O(log pairs + row), and no memory.
func (m *after) score(trail []int32, t *tally) {
	if len(trail) < 2 {
		return
	}
	a, b := trail[1], trail[0]
	if a < 0 || int(a) >= len(m.ends) {
		return
	}
	var from int64
	if a > 0 {
		from = m.ends[a-1]
	}
	place, ok := slices.BinarySearch(m.seconds[from:m.ends[a]], b)
	if !ok {
		return
	}
	columns, values := m.next.row(int32(from) + int32(place))
	for k, j := range columns {
		t.add(j, values[k])
	}
}
