// Package spectral is a graph filter over items that the same users chose: a low-pass, a step on the
// graph and sharpening, written out as item-item rows (Fit), with settings that are measured without
// writing them out (Choose).
package spectral

import (
	"context"
	"math"

	"gonum.org/v1/gonum/blas/blas32"

	"github.com/attune-shop/attune/model/cf/feedback"
	"github.com/attune-shop/attune/model/cf/sparse"
	"github.com/attune-shop/attune/model/dense"
)

// filterBlock is how many columns go through the graph at once.
const filterBlock = 64

// spectrum is what a graph filter is made of. With X users x items of damped weights, and D
// and E the sums of its columns and rows,
//
//	R = E^-1/2 X D^-1/2,  P = R^T R
//
// P, items x items and never formed, takes a visitor's items to those that the same users
// chose and has eigenvalues from 0 to 1. V, items x k, are its eigenvectors with the greatest
// ones, which are the right singular vectors of R. A visitor's damped weights x give
//
//	b = x (D^-p R^T R D^p + w D^-1/2 V V^T D^1/2)   blurred: one step on the graph, and
//	                                                  what of x varies slowly on it
//	s = b q(P),  q(z) = sum over j to 4 of (-T z)^j / j!   sharpened
//
// which with p = 0 is GF-CF (Shen et al. 2021) followed by BSPM's sharpening (Choi et al. 2023):
// one Runge-Kutta step of db/dt = -P b of length T, so that an item weighs less where all that is
// near it does as well.
//
// The filter is linear in x: its rows are an item-item model like that of EASE, without the
// inverse of an items x items matrix that EASE needs.
//
// 16 bytes a pair (what the dataset holds not counted), 4 k bytes an item.
type spectrum struct {
	// users is R, items its transpose.
	users, items sparse.Rows
	// degrees is the diagonal of D, loads that of E.
	degrees, loads []float64
	// vectors is V, values are the eigenvalues of P, greatest first.
	vectors blas32.General
	values  []float64
}

// newSpectrum normalizes the dataset's weights and finds k eigenvectors, or as many as there
// are with a value that is not 0.
func newSpectrum(ctx context.Context, d *feedback.Dataset, k int, seed int64, workers int, done func(float64)) (*spectrum, error) {
	s := &spectrum{users: *d.ByUser(), items: *d.ByItem()}
	s.degrees, s.loads = sumsOf(d.ByItem()), sumsOf(d.ByUser())
	normalize := func(m *sparse.Rows, rows, columns []float64) {
		values := make([]float32, len(m.Values))
		at := 0
		for r, end := range m.Ends {
			for ; at < int(end); at++ {
				if size := math.Sqrt(rows[r] * columns[m.Columns[at]]); size > 0 { // weights may round to 0
					values[at] = float32(float64(m.Values[at]) / size)
				}
			}
		}
		m.Values = values
	}
	normalize(&s.users, s.loads, s.degrees)
	normalize(&s.items, s.degrees, s.loads)
	err := s.decompose(ctx, k, d.Marks().Items, seed, workers, done)
	return s, err
}

// sumsOf returns what each row adds up to.
func sumsOf(m *sparse.Rows) []float64 {
	sums := make([]float64, m.Len())
	for r := range sums {
		_, values := m.Row(int32(r))
		for _, x := range values {
			sums[r] += float64(x)
		}
	}
	return sums
}

// blocks is the memory of a worker: x and y items x columns, between users x columns.
type blocks struct{ x, y, between blas32.General }

func (s *spectrum) newBlocks(workers int) []*blocks {
	all := make([]*blocks, max(workers, 1))
	for i := range all {
		all[i] = new(blocks)
		*all[i] = blocks{dense.Zeros(s.items.Len(), filterBlock), dense.Zeros(s.items.Len(), filterBlock), dense.Zeros(s.users.Len(), filterBlock)}
	}
	return all
}

// resize sets the number of columns, filterBlock at most; the numbers get lost.
func (b *blocks) resize(columns int) {
	for _, m := range []*blas32.General{&b.x, &b.y, &b.between} {
		m.Cols, m.Stride, m.Data = columns, columns, m.Data[:m.Rows*columns]
	}
}

// apply sets m.y to P m.y. 2 pairs x columns multiplications.
func (s *spectrum) apply(ctx context.Context, m *blocks) error {
	if err := multiply(ctx, &s.users, m.y, m.between); err != nil {
		return err
	}
	return multiply(ctx, &s.items, m.between, m.y)
}

// multiply sets into to A x, of a sparse A.
func multiply(ctx context.Context, a *sparse.Rows, x, into blas32.General) error {
	for r := range into.Rows {
		if r&0xfff == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		row := line(into, r)
		clear(row)
		columns, values := a.Row(int32(r))
		dense.AddRows(x, columns, values, row)
	}
	return nil
}

// rowsOf returns rows [from, to) of a matrix.
func rowsOf(m blas32.General, from, to int) blas32.General {
	return blas32.General{Rows: to - from, Cols: m.Cols, Stride: m.Stride, Data: m.Data[min(from*m.Stride, len(m.Data)):min(to*m.Stride, len(m.Data))]}
}

// columnsOf returns columns [from, to) of a matrix.
func columnsOf(m blas32.General, from, to int) blas32.General {
	return blas32.General{Rows: m.Rows, Cols: to - from, Stride: m.Stride, Data: m.Data[min(from, len(m.Data)):]}
}

// line returns row i of a matrix.
func line(m blas32.General, i int) []float32 {
	if m.Cols == 0 {
		return nil
	}
	return m.Data[i*m.Stride:][:m.Cols]
}

// copyMatrix copies a matrix to one of the same shape.
func copyMatrix(into, from blas32.General) {
	for i := range into.Rows {
		copy(line(into, i), line(from, i))
	}
}

// scaleRows multiplies each row with its number.
func scaleRows(m blas32.General, by []float32) {
	for i, x := range by {
		row := line(m, i)
		for c := range row {
			row[c] *= x
		}
	}
}
