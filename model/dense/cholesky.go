package dense

import (
	"context"
	"errors"
	"fmt"
	"math"

	"gonum.org/v1/gonum/blas/blas32"
)

// ErrNotPositiveDefinite says that a matrix has no Cholesky factor in float32: it is not
// positive definite, or too close to one that is not, or holds numbers that are not finite.
var ErrNotPositiveDefinite = errors.New("not positive definite")

// Cholesky replaces the lower triangle of A, n x n and positive definite, with that of L,
// A = L L^T. What is above the diagonal is neither read nor written. It returns
// ErrNotPositiveDefinite where there is no L. n^3 / 6 multiplications; 16 x 192 n bytes
// beside A.
func Cholesky(ctx context.Context, a blas32.General, workers int, done func(float64)) error {
	s := newSweep(a, workers)
	n := a.Rows
	for from := 0; from < n; from += pivotWidth {
		to := min(n, from+pivotWidth)
		if err := s.pivot(from, to); err != nil {
			return err
		}
		if err := s.eliminate(ctx, to); err != nil {
			return err
		}
		for i := from; i < to; i++ {
			copy(a.Data[i*a.Stride+from:i*a.Stride+i+1], s.factor.Data[(i-from)*s.factor.Stride:])
		}
		if err := s.scatter(ctx, s.half, to); err != nil {
			return err
		}
		if done != nil {
			left := 1 - float64(to)/float64(n)
			done(1 - left*left*left)
		}
	}
	return ctx.Err()
}

// factorize replaces the lower triangle of A, n x n, with that of L, A = L L^T, and returns
// n, or the row at which A is not positive definite. n^3 / 6 multiplications.
func factorize(a blas32.General) int {
	for i := range a.Rows {
		row := a.Data[i*a.Stride : i*a.Stride+i+1]
		for j := range i {
			above := a.Data[j*a.Stride : j*a.Stride+j+1]
			row[j] = (row[j] - dot(row[:j], above[:j])) / above[j]
		}
		pivot := row[i] - dot(row[:i], row[:i])
		if !(pivot > 0) || math.IsInf(float64(pivot), 0) {
			return i
		}
		row[i] = float32(math.Sqrt(float64(pivot)))
	}
	return a.Rows
}

// invertLower sets into to L^-1, of a lower triangle L, both n x n, with zeros above the
// diagonal. n^3 / 3 multiplications.
func invertLower(l, into blas32.General) {
	for i := range l.Rows {
		row := into.Data[i*into.Stride : i*into.Stride+into.Cols]
		clear(row)
		row[i] = 1 / l.Data[i*l.Stride+i]
		addAll(part(into, 0, 0, i, i), l.Data[i*l.Stride:i*l.Stride+i], row[:i])
		for j := range row[:i] {
			row[j] *= -row[i]
		}
	}
}

// part returns rows x columns of a matrix from (top, left) on.
func part(a blas32.General, top, left, rows, columns int) blas32.General {
	p := blas32.General{Rows: rows, Cols: columns, Stride: a.Stride}
	if rows > 0 && columns > 0 {
		p.Data = a.Data[top*a.Stride+left:]
	}
	return p
}

func checkSquare(a blas32.General) {
	checkMatrix(a)
	if a.Rows != a.Cols {
		panic(fmt.Sprintf("dense: %d x %d is not square", a.Rows, a.Cols))
	}
}
