package cf

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas32"

	"github.com/attune-shop/attune/model/cf/feedback"
	"github.com/attune-shop/attune/model/cf/sparse"
	"github.com/attune-shop/attune/model/dense"
	"github.com/attune-shop/attune/model/parallel"
)

const (
	// alsUnobserved sets the weight a of a pair without interaction, beside weight 1 of one:
	// a = alsUnobserved / sqrt(items), at most 1. What suits 1,682 films and 40,981 places.
	alsUnobserved = 4
	// alsSteps is the number of conjugate gradient steps a row and iteration.
	alsSteps = 3
)

// penalty holds the weights of the sum that ALS minimizes.
type penalty struct {
	// unobserved is the weight a of a pair without interaction.
	unobserved float32
	// entry is added to the diagonal of a row's system for each of its entries, and
	// a times entry for each column (Rendle et al. 2021).
	entry float32
}

// newPenalty spreads lambda, the regularization of a user without interactions, over
// what the items add to it.
func newPenalty(lambda float64, items int) penalty {
	n := math.Max(float64(items), 1)
	a := math.Min(alsUnobserved/math.Sqrt(n), 1)
	return penalty{unobserved: float32(a), entry: float32(math.Max(lambda, 1e-6) / (a * n))}
}

// als fits implicit-feedback factors (Hu, Koren, Volinsky 2008): alternately for users and
// items it minimizes
//
//	sum_ui c_ui (1 - x_u . y_i)^2 + a sum_all (x_u . y_i)^2 + regularization
//
// by conjugate gradient from the row's last solution (Takács, Pilászy, Tikk 2011), and sets
// s.factors to Y, items x rank. O(iterations (pairs rank + (users + items) rank^2)) time,
// 4 rank (users + items) bytes.
func als(ctx context.Context, d *feedback.Dataset, s *Snapshot, lambda float64, o Options, done func(float64)) error {
	users, items := d.ByUser().Len(), d.ByItem().Len()
	x, y := dense.Zeros(users, o.Factors), dense.Zeros(items, o.Factors)
	p := newPenalty(lambda, items)
	marks := d.Marks().Items
	for _, i := range d.Active() {
		random := rand.New(rand.NewPCG(uint64(o.Seed), marks[i]))
		for k := range o.Factors {
			y.Data[int(i)*y.Stride+k] = float32(random.NormFloat64() * .1 / math.Sqrt(float64(o.Factors)))
		}
	}
	for k := range o.Iterations {
		at := func(half int) func(float64) {
			total := float64(2 * o.Iterations)
			return parallel.Share(done, float64(2*k+half)/total, float64(2*k+half+1)/total)
		}
		if err := solveRows(ctx, d.ByUser(), y, x, p, o.Workers, at(0)); err != nil {
			return err
		}
		if err := solveRows(ctx, d.ByItem(), x, y, p, o.Workers, at(1)); err != nil {
			return err
		}
	}
	s.factors, s.penalty = y, p
	return nil
}

// gram returns a (Y^T Y + b n I), rank x rank and full, of Y, n x rank: what every row's
// system has in common; a is p.unobserved and b p.entry. O(n rank^2), a moment that nothing
// interrupts.
func (p penalty) gram(y blas32.General) blas32.General {
	n := y.Cols
	gram := dense.Zeros(n, n)
	_ = dense.Syrk(context.Background(), blas.Trans, 1, y, gram, 1, nil)
	for i := range n {
		gram.Data[i*n+i] += p.entry * float32(y.Rows)
		for j := range i + 1 {
			x := p.unobserved * gram.Data[i*n+j]
			gram.Data[i*n+j], gram.Data[j*n+i] = x, x
		}
	}
	return gram
}

// solveRows improves each row x_r of into towards the solution of
//
//	(gram + sum_i (c_i y_i y_i^T + b I)) x_r = sum_i c_i y_i
//
// over the entries (i, c_i) of row r of m. A row without entries becomes 0.
func solveRows(ctx context.Context, m *sparse.Rows, y, into blas32.General, p penalty, workers int, done func(float64)) error {
	gram := p.gram(y)
	gradients := make([]gradient, max(workers, 1))
	return parallel.Each(ctx, m.Len(), workers, 128, done, func(worker, from, to int) error {
		for r := from; r < to; r++ {
			if err := ctx.Err(); err != nil {
				return err
			}
			x := into.Data[r*into.Stride : r*into.Stride+into.Cols]
			columns, values := m.Row(int32(r))
			if len(columns) == 0 {
				clear(x)
				continue
			}
			gradients[worker].solve(gram, p.entry, columns, values, y, x)
		}
		return nil
	})
}

// gradient is the memory of one conjugate gradient.
type gradient struct{ residual, direction, product, weights []float32 }

// solve takes alsSteps steps from x towards the solution; b is penalty.entry.
// O(rank^2 + len(columns) rank).
func (g *gradient) solve(gram blas32.General, b float32, columns []int32, values []float32, y blas32.General, x []float32) {
	n := len(x)
	if len(g.residual) != n {
		g.residual, g.direction, g.product = make([]float32, n), make([]float32, n), make([]float32, n)
	}
	g.weights = slices.Grow(g.weights[:0], len(columns))[:len(columns)]
	b *= float32(len(columns))
	common := func(v, into []float32) { // what does not depend on the columns, times v
		clear(into)
		dense.Axpy(b, v, into)
		dense.AddAllRows(gram, v, into)
	}
	common(x, g.residual)
	for i, r := range g.residual {
		g.residual[i] = -r
	}
	dense.Dots(y, columns, x, g.weights)
	for k, c := range values {
		g.weights[k] = c * (1 - g.weights[k])
	}
	dense.AddRows(y, columns, g.weights, g.residual)
	copy(g.direction, g.residual)
	rest := dense.Dot(g.residual, g.residual)
	for range alsSteps {
		if rest < 1e-20 {
			return
		}
		common(g.direction, g.product)
		dense.Dots(y, columns, g.direction, g.weights)
		for k, c := range values {
			g.weights[k] *= c
		}
		dense.AddRows(y, columns, g.weights, g.product)
		step := rest / dense.Dot(g.direction, g.product)
		if !(step > 0) || math.IsInf(float64(step), 0) {
			return
		}
		dense.Axpy(step, g.direction, x)
		dense.Axpy(-step, g.product, g.residual)
		next := dense.Dot(g.residual, g.residual)
		copy(g.product, g.residual)
		dense.Axpy(next/rest, g.direction, g.product)
		g.direction, g.product, rest = g.product, g.direction, next
	}
}
