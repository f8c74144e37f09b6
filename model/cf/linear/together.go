package linear

import (
	"context"
	"math"

	"github.com/attune-shop/attune/model/cf/feedback"
	"github.com/attune-shop/attune/model/cf/sparse"
	"github.com/attune-shop/attune/model/parallel"
)

const (
	// togetherSupport is the number of baskets that two items must share.
	togetherSupport = 2
	// togetherDamp is the number of shared baskets at which half of the lift counts.
	togetherDamp = 5
)

// Together returns, for each item, the n items that are bought with it beyond what their
// own sales explain:
//
//	t_ij = c_ij / sqrt(c_i c_j) * k_ij / (k_ij + damp)    where k_ij >= support
//
// c sums 1 / sqrt(size - 1) over baskets, so that a pair among fifty says less than a pair
// alone; k_ij is the plain number of shared baskets, and its factor keeps two items that met
// twice, and were never sold else, after those that meet week after week.
// O(sum over baskets of size^2).
func Together(ctx context.Context, d *feedback.Dataset, n, workers int, done func(float64)) (sparse.Rows, error) {
	items := d.Items()
	byBasket := sparse.NewRows(len(d.Baskets()), items)
	for b, basket := range d.Baskets() {
		weight := float32(1 / math.Sqrt(float64(len(basket)-1)))
		for _, i := range basket {
			byBasket.Columns = append(byBasket.Columns, i)
			byBasket.Values = append(byBasket.Values, weight)
		}
		byBasket.Ends[b] = int64(len(byBasket.Columns))
	}
	baskets := byBasket.Transpose()
	total := make([]float64, items)
	for i := range total {
		_, weights := baskets.Row(int32(i))
		for _, w := range weights {
			total[i] += float64(w)
		}
	}
	parts := make([][]sparse.Candidate, items)
	weighted, counted := sparse.NewSums(workers, items), sparse.NewSums(workers, items)
	err := parallel.Each(ctx, items, workers, 64, done, func(worker, from, to int) error {
		c, k := weighted[worker], counted[worker]
		for i := from; i < to; i++ {
			in, weights := baskets.Row(int32(i))
			for m, b := range in {
				if m&0xfff == 0xfff && ctx.Err() != nil {
					return ctx.Err()
				}
				columns, _ := byBasket.Row(b)
				for _, j := range columns {
					c.Add(j, float64(weights[m]))
					k.Add(j, 1)
				}
			}
			found := c.Drain(func(j int32, sum float64) float64 {
				shared := k.Sum[j]
				if int(j) == i || shared < togetherSupport {
					return 0
				}
				return sum / math.Sqrt(total[i]*total[j]) * shared / (shared + togetherDamp)
			})
			k.Drain(func(int32, float64) float64 { return 0 })
			parts[i] = sparse.Ordered(sparse.KeepBest(found, n))
		}
		return nil
	})
	if err != nil {
		return sparse.Rows{}, err
	}
	return sparse.Join(parts, items), nil
}
