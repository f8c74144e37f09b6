package cf

import (
	"math"
	"slices"

	"github.com/attune-shop/attune/model/cf/feedback"
	"github.com/attune-shop/attune/model/dense"
)

// factor returns the factors of item i.
func (s *Snapshot) factor(i int32) []float32 {
	y := s.factors
	return y.Data[int(i)*y.Stride : int(i)*y.Stride+y.Cols]
}

// folding is the memory of one fold-in. After it, user holds the visitor's factors.
type folding struct {
	gradient
	user []float32
}

// foldIn solves for the factors of a visitor (Hu, Koren, Volinsky 2008):
//
//	A u = sum_i c_i y_i,  A = a (Y^T Y + b n I) + sum_i (c_i y_i y_i^T + b I),  c_i = value of item i
//
// as training does, by alsSteps steps of conjugate gradient, into f.user. It returns false
// where the visitor has no taste. O(history rank + rank^2).
func (s *Snapshot) foldIn(t *feedback.Taste, f *folding) bool {
	n := s.factors.Cols
	if n == 0 || len(t.Items) == 0 {
		return false
	}
	if len(f.user) != n {
		f.user = make([]float32, n)
	}
	clear(f.user)
	f.solve(s.gram, s.penalty.entry, t.Items, t.Values, s.factors, f.user)
	return finite(f.user)
}

// system returns the Cholesky factor R of the A of foldIn, A = R^T R, in the upper triangle
// of rank x rank. It returns false where the visitor has no taste.
func (s *Snapshot) system(t *feedback.Taste) ([]float32, bool) {
	n := s.factors.Cols
	a := slices.Clone(s.gram.Data)
	for q, item := range t.Items {
		c, y := t.Values[q], s.factor(item)
		for k := range n {
			dense.Axpy(c*y[k], y[k:], a[k*n+k:k*n+n])
		}
	}
	for k := range n {
		a[k*n+k] += s.penalty.entry * float32(len(t.Items))
	}
	return a, len(t.Items) > 0 && factorize(a, n)
}

// factorize replaces the upper triangle of a positive definite A, n x n by rows, with R
// where A = R^T R, and returns false where A is not positive definite. O(n^3 / 3).
func factorize(a []float32, n int) bool {
	for k := range n {
		row := a[k*n : k*n+n]
		pivot := row[k]
		if !(pivot > 0) || math.IsInf(float64(pivot), 0) {
			return false
		}
		inverse := 1 / float32(math.Sqrt(float64(pivot)))
		for j := k; j < n; j++ {
			row[j] *= inverse
		}
		for i := k + 1; i < n; i++ {
			dense.Axpy(-row[i], row[i:], a[i*n+i:i*n+n])
		}
	}
	return true
}

// solve replaces b with the solution of R^T R x = b. It returns false where that is not
// finite. O(n^2).
func solve(r []float32, n int, b []float32) bool {
	for k := range n {
		b[k] /= r[k*n+k]
		dense.Axpy(-b[k], r[k*n+k+1:k*n+n], b[k+1:])
	}
	for k := n - 1; k >= 0; k-- {
		b[k] = (b[k] - dense.Dot(r[k*n+k+1:k*n+n], b[k+1:])) / r[k*n+k]
	}
	return finite(b)
}

func finite(v []float32) bool {
	for _, x := range v {
		if x-x != 0 {
			return false
		}
	}
	return true
}

// factorParts tells what each item of the taste adds to an item's score: c_i y_i . A^-1 y_item.
func (s *Snapshot) factorParts(t *feedback.Taste) func(item int32, into []float32) {
	r, solvable := s.system(t)
	z := make([]float32, s.factors.Cols)
	return func(item int32, into []float32) {
		clear(into)
		if copy(z, s.factor(item)); !solvable || !solve(r, len(z), z) {
			return
		}
		for i, other := range t.Items {
			into[i] = t.Values[i] * dense.Dot(z, s.factor(other))
		}
	}
}
