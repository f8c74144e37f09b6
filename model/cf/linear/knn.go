package linear

import (
	"context"
	"math"

	"github.com/attune-shop/attune/model/cf/feedback"
	"github.com/attune-shop/attune/model/cf/sparse"
	"github.com/attune-shop/attune/model/parallel"
)

// knnShrink is added to the product of norms: items that few users share count less.
const knnShrink = 10

// Neighbours returns, for each item, the n items most like it, by cosine with shrinkage
// (Sarwar et al. 2001; Koren 2008 for the shrinkage) over users whose say is spread
// over all that they did:
//
//	s_ij = sum_u x_ui x_uj / |x_u| / (n_i n_j + shrink),  n_i = sqrt(sum_u x_ui^2 / |x_u|)
//
// with x the damped weights. O(sum over users of items^2) time, O(items) memory a worker
// beside the result.
func Neighbours(ctx context.Context, d *feedback.Dataset, n, workers int, done func(float64)) (sparse.Rows, error) {
	items := d.ByItem().Len()
	share := make([]float64, d.ByUser().Len())
	for u := range share {
		_, values := d.ByUser().Row(int32(u))
		var square float64
		for _, x := range values {
			square += float64(x) * float64(x)
		}
		if square > 0 {
			share[u] = 1 / math.Sqrt(square)
		}
	}
	norm := make([]float64, items)
	for i := range norm {
		users, values := d.ByItem().Row(int32(i))
		for k, u := range users {
			norm[i] += float64(values[k]) * float64(values[k]) * share[u]
		}
		norm[i] = math.Sqrt(norm[i])
	}
	parts := make([][]sparse.Candidate, items)
	sums := sparse.NewSums(workers, items)
	err := parallel.Each(ctx, items, workers, 64, done, func(worker, from, to int) error {
		s := sums[worker]
		for i := from; i < to; i++ {
			if err := cooccur(ctx, d, int32(i), share, s); err != nil {
				return err
			}
			found := s.Drain(func(j int32, sum float64) float64 {
				if int(j) == i {
					return 0
				}
				return sum / (norm[i]*norm[j] + knnShrink)
			})
			parts[i] = sparse.Ordered(sparse.KeepBest(found, n))
		}
		return nil
	})
	if err != nil {
		return sparse.Rows{}, err
	}
	return sparse.Join(parts, items), nil
}

// cooccur sums x_ui x_uj share_u over the users of item i into s, for every j.
func cooccur(ctx context.Context, d *feedback.Dataset, i int32, share []float64, s *sparse.Sums) error {
	users, values := d.ByItem().Row(i)
	for k, u := range users {
		if k&0x3ff == 0x3ff {
			if err := ctx.Err(); err != nil {
				return err
			}
		}
		x := float64(values[k])
		if share != nil {
			x *= share[u]
		}
		columns, others := d.ByUser().Row(u)
		for m, j := range columns {
			s.Add(j, x*float64(others[m]))
		}
	}
	return nil
}
