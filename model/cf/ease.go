package cf

import (
	"context"
	"fmt"
	"math"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"

	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/model/parallel"
)

// ease returns the item-item weights of EASE (Steck 2019), of each row the o.RowItems
// strongest:
//
//	P = (X^T X + lambda I)^-1,  B_ij = -P_ij / P_jj,  B_ii = 0
//
// with X users x items of damped weights. Items without interactions have empty rows; n
// others take 8 n^2 bytes and n^3 / 2 multiplications.
func ease(ctx context.Context, d *Dataset, lambda float64, o Options, done func(float64)) (rows, error) {
	active := activeItems(d)
	n := len(active)
	if n > o.EASEMaxItems {
		return rows{}, fmt.Errorf("ease: %d items, at most %d: %w", n, o.EASEMaxItems, event.ErrExhausted)
	}
	gram, err := denseGram(ctx, d, active, o.Workers, share(done, 0, .1))
	if err != nil {
		return rows{}, err
	}
	for i := range n {
		gram.Data[i*n+i] += math.Max(lambda, 1e-6)
	}
	if err := invert(ctx, gram, share(done, .1, .9)); err != nil {
		return rows{}, fmt.Errorf("ease: lambda %g: %w", lambda, err)
	}
	parts := make([][]Candidate, len(d.itemIDs))
	err = parallel.Each(ctx, n, o.Workers, 64, share(done, .9, 1), func(_, from, to int) error {
		found := make([]Candidate, 0, n)
		for i := from; i < to; i++ {
			found = found[:0]
			for j := range n {
				p := gram.Data[min(i, j)*n+max(i, j)]
				if x := float32(-p / gram.Data[j*n+j]); j != i && x != 0 && x-x == 0 {
					found = append(found, Candidate{Item: active[j], Score: x})
				}
			}
			parts[active[i]] = ordered(strongest(found, o.RowItems))
		}
		return nil
	})
	if err != nil {
		return rows{}, err
	}
	return join(parts, len(d.itemIDs)), nil
}

// share maps a part's progress to [from, to) of the whole.
func share(done func(float64), from, to float64) func(float64) {
	if done == nil {
		return nil
	}
	return func(x float64) { done(from + (to-from)*x) }
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

// strongest keeps the n entries largest in absolute value, where all has room for it.
func strongest(all []Candidate, n int) []Candidate {
	if len(all) <= n {
		return all
	}
	sizes := make([]Candidate, len(all))
	for i, c := range all {
		sizes[i] = Candidate{Item: int32(i), Score: float32(math.Abs(float64(c.Score)))}
	}
	kept := make([]Candidate, 0, n)
	for _, c := range keepBest(sizes, n) {
		kept = append(kept, all[c.Item])
	}
	return kept
}

// denseGram returns X^T X of the active items, n x n.
func denseGram(ctx context.Context, d *Dataset, active []int32, workers int, done func(float64)) (blas64.Symmetric, error) {
	n := len(active)
	gram := blas64.Symmetric{Uplo: blas.Upper, N: n, Stride: max(n, 1), Data: make([]float64, n*n)}
	place := make([]int32, len(d.itemIDs))
	for k, i := range active {
		place[i] = int32(k)
	}
	err := parallel.Each(ctx, n, workers, 16, done, func(_, from, to int) error {
		for k := from; k < to; k++ {
			row := gram.Data[k*n : k*n+n]
			users, values := d.byItem.row(active[k])
			for m, u := range users {
				if m&0xfff == 0xfff && ctx.Err() != nil {
					return ctx.Err()
				}
				x := float64(values[m])
				columns, others := d.byUser.row(u)
				for q, j := range columns {
					row[place[j]] += x * float64(others[q])
				}
			}
		}
		return nil
	})
	return gram, err
}
