package sequence

import (
	"context"
	"math"

	"github.com/attune-shop/attune/model/cf/sparse"
	"github.com/attune-shop/attune/model/parallel"
)

const (
	// moveSpan is how many places after an item others are counted.
	moveSpan = 30
	// moveLeast is the share of a row below which an entry is left out: a chance in a million.
	moveLeast = 1e-6
	// hopFrom and hopWidth are how many entries of a row two hops use and keep.
	hopFrom, hopWidth = 50, 200
	// fadeLeast is the weight below which the older items of a trail say nothing.
	fadeLeast = 1e-3
)

// direction tells which of two items of a visit a row is of.
type direction int

const (
	// forward counts what comes after the row's item.
	forward direction = iota
	// backward counts what comes before it: the transpose of forward.
	backward
	// around counts both: forward and its transpose added up.
	around
)

// moving is how moves are counted.
type moving struct {
	direction direction
	// reach is the distance, in places of a visit, over which a count falls to 1/e.
	reach float64
	// halfLife is the age at which a visit counts half. Age is the share of all visits that are
	// newer, 0 to 1. Where it is 0, every visit counts 1.
	halfLife float64
	// shrink is added to what a row is divided by: rows of items hardly seen stay small.
	shrink float64
	// width is how many entries a row keeps, the strongest.
	width int
}

// Moves are the chances of getting from an item, the row, to others, the columns, within a
// visit: items x items, all above 0. The rows are stored, and nothing is derived.
type Moves struct{ sparse.Rows }

// count returns the moves of visits, whose items are 0 to items-1:
//
//	c_ij = sum over visits, and places p < q <= p + moveSpan in them with i at p and j at q,
//	       of 2^(-age / halfLife) exp(-(q - p - 1) / reach)
//	m_ij = c_ij / (sum_j c_ij + shrink)
//
// i = j is counted, too: who looks at an item twice may do so again. This is Sequential Rules
// (Ludewig & Jannach 2018, "Evaluation of session-based recommendation algorithms") with an
// exponential decay for its 1 / (q - p), and the transition half of SLIST (Choi et al. 2021) in
// closed form where prefixes do not mix.
//
// O(interactions * moveSpan) time, O(items) memory a worker beside the result. The result does
// not depend on the number of workers.
func (k moving) count(ctx context.Context, v *Visits, at *places, workers int, done func(float64)) (Moves, error) {
	items := len(at.ends)
	fade := make([]float64, moveSpan+1)
	for distance := 1; distance <= moveSpan; distance++ {
		fade[distance] = math.Exp(-float64(distance-1) / k.reach)
	}
	weight := k.weights(v.Len())
	parts := make([][]sparse.Candidate, items)
	sums := sparse.NewSums(workers, items)
	err := parallel.Each(ctx, items, workers, 64, done, func(worker, from, to int) error {
		s := sums[worker]
		for i := from; i < to; i++ {
			for n, p := range at.of(i) {
				if n&0xfff == 0xfff && ctx.Err() != nil {
					return ctx.Err()
				}
				visit := at.visit[p]
				k.move(v, int(visit), int64(p), weight[visit], fade, s)
			}
			parts[i] = sparse.Ordered(sparse.KeepBest(k.shares(s), k.width))
		}
		return nil
	})
	if err != nil {
		return Moves{}, err
	}
	return Moves{sparse.Join(parts, items)}, nil
}

// weights returns what each of n visits counts, oldest first.
func (k moving) weights(n int) []float64 {
	all := make([]float64, n)
	for visit := range all {
		all[visit] = 1
		if k.halfLife > 0 {
			all[visit] = math.Exp2(-float64(n-1-visit) / float64(n) / k.halfLife)
		}
	}
	return all
}

// move adds what place p of a visit says to s.
func (k moving) move(v *Visits, visit int, p int64, weight float64, fade []float64, s *sparse.Sums) {
	if weight == 0 {
		return
	}
	if k.direction != backward {
		for q := p + 1; q < min(v.Ends[visit], p+1+moveSpan); q++ {
			s.Add(v.Items[q], weight*fade[q-p])
		}
	}
	if k.direction != forward {
		for q := p - 1; q >= max(v.from(visit), p-moveSpan); q-- {
			s.Add(v.Items[q], weight*fade[p-q])
		}
	}
}

// shares empties s into a row.
func (k moving) shares(s *sparse.Sums) []sparse.Candidate {
	total := k.shrink
	for _, j := range s.Touched {
		total += s.Sum[j]
	}
	return s.Drain(func(_ int32, sum float64) float64 {
		if sum < moveLeast*total {
			return 0
		}
		return sum / total
	})
}

// twice returns the chances of getting from an item to others in two moves: the square of the
// matrix of the hopFrom strongest entries of each row, of which the hopWidth strongest remain.
// O(items * hopFrom^2).
func (m *Moves) twice(ctx context.Context, workers int, done func(float64)) (Moves, error) {
	items := m.Len()
	one := m.Best(hopFrom)
	parts := make([][]sparse.Candidate, items)
	sums := sparse.NewSums(workers, items)
	err := parallel.Each(ctx, items, workers, 64, done, func(worker, from, to int) error {
		s := sums[worker]
		for i := from; i < to; i++ {
			via, first := one.Row(int32(i))
			for k, j := range via {
				columns, second := one.Row(j)
				for n, c := range columns {
					s.Add(c, float64(first[k])*float64(second[n]))
				}
			}
			parts[i] = sparse.Ordered(sparse.KeepBest(s.Drain(func(_ int32, sum float64) float64 {
				if sum < moveLeast {
					return 0
				}
				return sum
			}), hopWidth))
		}
		return nil
	})
	if err != nil {
		return Moves{}, err
	}
	return Moves{sparse.Join(parts, items)}, nil
}

// score adds the moves from the newest items of a trail, newest first:
//
//	t_j += sum_k exp(-k / decay) m_(trail_k, j)    for k < last
//
// Terms whose exp is below fadeLeast, and items that the moves do not know, are left out.
// O(last * row), and no memory.
func (m *Moves) score(trail []int32, decay float64, last int, t *sparse.Tally) {
	trail = trail[:min(len(trail), last)]
	for k, item := range trail {
		if k+1 < len(trail) {
			m.Fetch(trail[k+1])
		}
		x := float32(math.Exp(-float64(k) / decay))
		if x < fadeLeast {
			return
		}
		columns, values := m.Row(item)
		t.AddRow(x, columns, values)
	}
}
