// Package linear makes item-item models: for each item a row of how much it says of others, which add
// up over a history. EASE solves for them in closed form, Neighbours are cosines, and Together is what
// is bought together.
package linear

import (
	"context"
	"errors"
	"fmt"
	"math"

	"gonum.org/v1/gonum/blas/blas32"

	"github.com/attune-shop/attune/model/cf/feedback"
	"github.com/attune-shop/attune/model/cf/sparse"
	"github.com/attune-shop/attune/model/dense"
	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/model/parallel"
)

// EASE are the settings of an item-item model in closed form.
type EASE struct {
	// Lambda is added to the diagonal of the Gram matrix.
	Lambda float64
	// Dropout is the probability, 0 and more and below 1, of learning as if an entry were left out.
	Dropout float64
	// Near is the share of the Gram matrix, 0 to 1, that counts by how close in time a user chose
	// two items.
	Near float64
	// Debias is how much less an item that many chose says of others: its share is divided by its
	// count to this power.
	Debias float64
	// Width is how many items a row keeps, the strongest. Where 0, rows are kept whole up to
	// wholeRows items, and 400 items above.
	Width int
}

// ridge is what EASE adds to the diagonal of X^T X for an item whose place there holds square:
// Lambda, and what stands for leaving each entry of X out with the probability Dropout
// (EDLAE: Steck 2020).
func (s EASE) ridge(square float64) float64 {
	return math.Max(s.Lambda+s.Dropout/(1-s.Dropout)*square, 1e-6)
}

// Fit returns the item-item weights of EASE (Steck 2019), of each row the strongest:
//
//	P = (G + diag(r))^-1,  B_ij = -P_ij / P_jj w_i,  B_ii = 0
//
// with G = X^T X of X users x items of damped weights, of which Near counts by
// closeness, r of the n items with interactions (ridge), and w_i, which is 1 where
// Debias is 0, (G_ii / mean of G_kk) ^ -Debias: what many have says less of each. The
// others' rows are empty. 4 n^2 + 3,072 n bytes, n^3 / 2 multiplications.
// event.ErrExhausted where r is too small beside X^T X for float32.
func (s EASE) Fit(ctx context.Context, d *feedback.Dataset, workers int, done func(float64)) (sparse.Rows, error) {
	active := d.Active()
	a, err := gramMatrix(ctx, d, active, s.Near, workers, parallel.Share(done, 0, .1))
	if err != nil {
		return sparse.Rows{}, err
	}
	return s.solve(ctx, a, active, d.Items(), workers, parallel.Share(done, .1, 1))
}

// FitGram returns what Fit does for a Dataset of the users that a Gram holds, which was made with the
// same Near.
func (s EASE) FitGram(ctx context.Context, g *Gram, workers int, done func(float64)) (sparse.Rows, error) {
	active := g.active()
	return s.solve(ctx, g.matrix(active), active, g.items, workers, done)
}

// solve solves for the weights of some of the items, with the lower triangle of their X^T X,
// which it destroys.
func (s EASE) solve(ctx context.Context, a blas32.General, active []int32, items, workers int, done func(float64)) (sparse.Rows, error) {
	n := len(active)
	weights := s.weights(a)
	for k := range active {
		square := float64(a.Data[k*n+k])
		a.Data[k*n+k] = float32(square + s.ridge(square))
	}
	if err := dense.Invert(ctx, a, workers, parallel.Share(done, 0, .95)); err != nil {
		if errors.Is(err, dense.ErrNotPositiveDefinite) {
			err = fmt.Errorf("%w: what is added to the diagonal is too small: %w", err, event.ErrExhausted)
		}
		return sparse.Rows{}, fmt.Errorf("ease: %w", err)
	}
	scale := make([]float32, n)
	for k := range scale {
		scale[k] = -1 / a.Data[k*n+k]
	}
	parts := make([][]sparse.Candidate, items)
	keep := s.keep(items)
	err := parallel.Each(ctx, n, workers, 64, parallel.Share(done, .95, 1), func(_, from, to int) error {
		var found sparse.Strongest
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
			kept := found.Of(row, keep)
			for q, c := range kept {
				kept[q] = sparse.Candidate{Item: active[c.Item], Score: row[c.Item]}
			}
			parts[active[k]] = sparse.Ordered(kept)
		}
		return nil
	})
	if err != nil {
		return sparse.Rows{}, err
	}
	return sparse.Join(parts, items), nil
}

// wholeRows is the number of items up to which rows are kept whole: they are added up faster
// so than the strongest ones of each (by whoever serves), and in a small catalog the weak ones
// count as well. 8 bytes x items^2.
const wholeRows = 2000

func (s EASE) keep(items int) int {
	switch {
	case s.Width > 0:
		return s.Width
	case items <= wholeRows:
		return items
	}
	return 400
}

// whole returns a row with an entry for every item, those that are not active being 0.
func whole(row []float32, active []int32, items int) []sparse.Candidate {
	all := make([]sparse.Candidate, items)
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

// weights returns w of Fit, from the diagonal of G.
func (s EASE) weights(g blas32.General) []float32 {
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
