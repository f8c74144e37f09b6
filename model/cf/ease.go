package cf

import (
	"context"
	"errors"
	"fmt"
	"math"

	"gonum.org/v1/gonum/blas/blas32"

	"github.com/attune-shop/attune/model/dense"
	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/model/parallel"
)

// ridge is what EASE adds to the diagonal of X^T X for an item whose place there holds square:
// lambda, and what stands for leaving each entry of X out with the probability Dropout
// (EDLAE: Steck 2020).
func (s Settings) ridge(square float64) float64 {
	return math.Max(s.Lambda+s.Dropout/(1-s.Dropout)*square, 1e-6)
}

// ease returns the item-item weights of EASE (Steck 2019), of each row the strongest
// (Options.RowItems):
//
//	P = (G + diag(r))^-1,  B_ij = -P_ij / P_jj w_i,  B_ii = 0
//
// with G = X^T X of X users x items of damped weights, of which Settings.Near counts by
// closeness, r of the n items with interactions (Settings.ridge), and w_i, which is 1 where
// Settings.Debias is 0, (G_ii / mean of G_kk) ^ -Debias: what many have says less of each. The
// others' rows are empty. 4 n^2 + 3,072 n bytes, n^3 / 2 multiplications.
// event.ErrExhausted where there are more than o.EASEMaxItems of them, or where r is too small
// beside X^T X for float32.
func ease(ctx context.Context, d *Dataset, settings Settings, o Options, done func(float64)) (rows, error) {
	active := activeItems(d)
	if err := o.checkEASE(len(active)); err != nil {
		return rows{}, err
	}
	a, err := gramMatrix(ctx, d, active, settings.Near, o.Workers, parallel.Share(done, 0, .1))
	if err != nil {
		return rows{}, err
	}
	return easeOf(ctx, a, active, len(d.itemIDs), settings, o, parallel.Share(done, .1, 1))
}

// easeAgain returns what ease does for a Dataset of the users that a Gram holds.
func easeAgain(ctx context.Context, g *Gram, settings Settings, o Options, done func(float64)) (rows, error) {
	active := g.active()
	if err := o.checkEASE(len(active)); err != nil {
		return rows{}, err
	}
	return easeOf(ctx, g.matrix(active), active, g.items, settings, o, done)
}

func (o Options) checkEASE(items int) error {
	if items > o.EASEMaxItems {
		return fmt.Errorf("ease: %d items, at most %d: %w", items, o.EASEMaxItems, event.ErrExhausted)
	}
	return nil
}

// easeOf solves for the weights of some of the items, with the lower triangle of their X^T X,
// which it destroys.
func easeOf(ctx context.Context, a blas32.General, active []int32, items int, settings Settings, o Options, done func(float64)) (rows, error) {
	n := len(active)
	weights := settings.weights(a)
	for k := range active {
		square := float64(a.Data[k*n+k])
		a.Data[k*n+k] = float32(square + settings.ridge(square))
	}
	if err := dense.Invert(ctx, a, o.Workers, parallel.Share(done, 0, .95)); err != nil {
		if errors.Is(err, dense.ErrNotPositiveDefinite) {
			err = fmt.Errorf("%w: what is added to the diagonal is too small: %w", err, event.ErrExhausted)
		}
		return rows{}, fmt.Errorf("ease: %w", err)
	}
	scale := make([]float32, n)
	for k := range scale {
		scale[k] = -1 / a.Data[k*n+k]
	}
	parts := make([][]Candidate, items)
	keep := o.rowItems(items)
	err := parallel.Each(ctx, n, o.Workers, 64, parallel.Share(done, .95, 1), func(_, from, to int) error {
		var s strong
		for k := from; k < to; k++ {
			row := a.Data[k*n : k*n+n]
			for j, x := range scale {
				row[j] *= x * weights[k]
			}
			row[k] = 0
			if keep >= items {
				parts[active[k]] = whole(row, active, items)
				continue
			}
			kept := s.of(row, keep)
			for q, c := range kept {
				kept[q] = Candidate{Item: active[c.Item], Score: row[c.Item]}
			}
			parts[active[k]] = ordered(kept)
		}
		return nil
	})
	if err != nil {
		return rows{}, err
	}
	return join(parts, items), nil
}

// wholeRows is the number of items up to which rows are kept whole: they are added up faster
// so than the strongest ones of each (Snapshot.scatter), and in a small catalog the weak ones
// count as well. 8 bytes x items^2.
const wholeRows = 2000

func (o Options) rowItems(items int) int {
	switch {
	case o.RowItems > 0:
		return o.RowItems
	case items <= wholeRows:
		return items
	}
	return 400
}

// whole returns a row with an entry for every item, those that are not active being 0.
func whole(row []float32, active []int32, items int) []Candidate {
	all := make([]Candidate, items)
	for i := range all {
		all[i].Item = int32(i)
	}
	for q, i := range active {
		if x := row[q]; x-x == 0 {
			all[i].Score = x
		}
	}
	return all
}

// weights returns w of ease, from the diagonal of G.
func (s Settings) weights(g blas32.General) []float32 {
	w := make([]float32, g.Rows)
	var mean float64
	for k := range w {
		mean += float64(g.Data[k*g.Stride+k]) / float64(len(w))
	}
	for k := range w {
		w[k] = float32(math.Pow(float64(g.Data[k*g.Stride+k])/mean, -s.Debias))
	}
	return w
}

// strong is the memory of a choice of the strongest.
type strong struct{ found []Candidate }

// of returns the places of the n numbers in row that are largest in absolute value, with that,
// in no order; of equal ones the first, and none that is 0 or not finite. It is valid until
// the next call. O(row) where n is a small part of it: most numbers are only compared.
func (s *strong) of(row []float32, n int) []Candidate {
	s.found = s.found[:0]
	if n <= 0 {
		return nil
	}
	n = min(n, len(row)) // so that 2 n fits
	var least float32    // what an entry must exceed to be among the n best so far
	for j, x := range row {
		size := max(x, -x)
		if !(size > least) || size > math.MaxFloat32 {
			continue
		}
		s.found = append(s.found, Candidate{Item: int32(j), Score: size})
		if len(s.found) == 2*n {
			s.found = keepBest(s.found, n)
			least = s.found[0].Score
			for _, c := range s.found {
				least = min(least, c.Score)
			}
		}
	}
	return keepBest(s.found, n)
}

// activeItems are the items with an interaction, in order.
func activeItems(d *Dataset) []int32 {
	var active []int32
	for i := range d.itemIDs {
		if users, _ := d.byItem.row(int32(i)); len(users) > 0 {
			active = append(active, int32(i))
		}
	}
	return active
}
