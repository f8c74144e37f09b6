package cf

import (
	"context"
	"fmt"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/lapack/lapack64"

	"github.com/attune-shop/attune/model/event"
)

const (
	sweepBlock  = 64
	sweepStripe = 256
)

// invert replaces the upper triangle of a positive definite A, n x n, with that of -A^-1.
// It sweeps (Dempster 1969; Goodnight 1979) block by block, the pivots inverted by
// Cholesky, the rest by matrix products:
//
//	A_kk <- -A_kk^-1,  A_ik <- A_ik A_kk^-1,  A_ij <- A_ij - A_ik A_kk^-1 A_kj
//
// The pivot blocks are the Schur complements of a block Cholesky factorization, so it
// fails when that does: event.ErrExhausted where A is not positive definite in float64.
// n^3 / 2 multiplications, 2 x 64 n numbers beside A; ctx is looked at after each 64
// columns. What is below the diagonal is neither read nor kept.
func invert(ctx context.Context, a blas64.Symmetric, done func(float64)) error {
	n := a.N
	across := blas64.General{Rows: sweepBlock, Cols: n, Stride: max(n, 1), Data: make([]float64, sweepBlock*n)}
	down := blas64.General{Rows: n, Cols: sweepBlock, Stride: sweepBlock, Data: make([]float64, n*sweepBlock)}
	for from := 0; from < n; from += sweepBlock {
		if err := ctx.Err(); err != nil {
			return err
		}
		to := min(n, from+sweepBlock)
		pivot, ok := invertPivot(a, from, to)
		if !ok {
			return fmt.Errorf("not positive definite at row %d: %w", from, event.ErrExhausted)
		}
		across.Rows, down.Cols = to-from, to-from
		gather(a, from, to, across)
		blas64.Gemm(blas.Trans, blas.NoTrans, 1, across, pivot, 0, down)
		if err := subtract(ctx, a, down, across); err != nil {
			return err
		}
		scatterPanel(a, from, to, down, pivot)
		if done != nil {
			done(float64(to) / float64(n))
		}
	}
	return nil
}

// invertPivot returns the inverse of rows and columns [from, to) of a, in full.
func invertPivot(a blas64.Symmetric, from, to int) (blas64.General, bool) {
	b := to - from
	p := blas64.General{Rows: b, Cols: b, Stride: b, Data: make([]float64, b*b)}
	for i := range b {
		copy(p.Data[i*b+i:i*b+b], a.Data[(from+i)*a.Stride+from+i:(from+i)*a.Stride+to])
	}
	factor, ok := lapack64.Potrf(blas64.Symmetric{Uplo: blas.Upper, N: b, Stride: b, Data: p.Data})
	if !ok {
		return p, false
	}
	if _, ok = lapack64.Potri(factor); !ok {
		return p, false
	}
	for i := range b {
		for j := range i {
			p.Data[i*b+j] = p.Data[j*b+i]
		}
	}
	return p, true
}

// gather copies rows [from, to) of the symmetric a, zero in columns [from, to).
func gather(a blas64.Symmetric, from, to int, across blas64.General) {
	for k := from; k < to; k++ {
		row := across.Data[(k-from)*across.Stride : (k-from)*across.Stride+a.N]
		for i := range from {
			row[i] = a.Data[i*a.Stride+k]
		}
		clear(row[from:to])
		copy(row[to:], a.Data[k*a.Stride+to:k*a.Stride+a.N])
	}
}

// subtract takes down x across from the upper triangle of a, stripe by stripe.
func subtract(ctx context.Context, a blas64.Symmetric, down, across blas64.General) error {
	for i := 0; i < a.N; i += sweepStripe {
		if err := ctx.Err(); err != nil {
			return err
		}
		height, width := min(sweepStripe, a.N-i), a.N-i
		blas64.Gemm(blas.NoTrans, blas.NoTrans, -1,
			blas64.General{Rows: height, Cols: down.Cols, Stride: down.Stride, Data: down.Data[i*down.Stride:]},
			blas64.General{Rows: across.Rows, Cols: width, Stride: across.Stride, Data: across.Data[i:]},
			1, blas64.General{Rows: height, Cols: width, Stride: a.Stride, Data: a.Data[i*a.Stride+i:]})
	}
	return nil
}

// scatterPanel writes the swept rows and columns [from, to) back.
func scatterPanel(a blas64.Symmetric, from, to int, down, pivot blas64.General) {
	b := to - from
	for i := range from {
		copy(a.Data[i*a.Stride+from:i*a.Stride+to], down.Data[i*down.Stride:i*down.Stride+b])
	}
	for k := range b {
		row := a.Data[(from+k)*a.Stride : (from+k)*a.Stride+a.N]
		for j := k; j < b; j++ {
			row[from+j] = -pivot.Data[k*pivot.Stride+j]
		}
		for j := to; j < a.N; j++ {
			row[j] = down.Data[j*down.Stride+k]
		}
	}
}
