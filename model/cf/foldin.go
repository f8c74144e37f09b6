package cf

import (
	"math"
	"slices"

	"github.com/attune-shop/attune/model/dense"
)

func dot(x, y []float32) float32 { return dense.Dot(x, y) }

func axpy(a float32, x, y []float32) { dense.Axpy(a, x, y) }

// factor returns the factors of item i.
func (s *Snapshot) factor(i int32) []float32 {
	y := s.factors
	return y.Data[int(i)*y.Stride : int(i)*y.Stride+y.Cols]
}

// folding is the memory of one fold-in. After it, user holds the visitor's factors, and
// items and values the signals that count and their damped weights.
type folding struct {
	gradient
	items  []int32
	values []float32
	user   []float32
}

// foldIn solves for the factors of a visitor with the history (Hu, Koren, Volinsky 2008):
//
//	A u = sum_i c_i y_i,  A = a (Y^T Y + b n I) + sum_i (c_i y_i y_i^T + b I),  c_i = damped weight
//
// as training does, by alsSteps steps of conjugate gradient, into f.user. It returns false
// where no signal counts. O(history rank + rank^2).
func (s *Snapshot) foldIn(history []Signal, f *folding) bool {
	n := s.factors.Cols
	f.items, f.values = f.items[:0], f.values[:0]
	for _, signal := range history {
		if c := s.value(signal); c != 0 {
			f.items, f.values = append(f.items, signal.Item), append(f.values, c)
		}
	}
	if n == 0 || len(f.items) == 0 {
		return false
	}
	if len(f.user) != n {
		f.user = make([]float32, n)
	}
	clear(f.user)
	f.solve(s.gram, s.penalty.entry, f.items, f.values, s.factors, f.user)
	return finite(f.user)
}

// system returns the Cholesky factor R of the A of foldIn, A = R^T R, in the upper triangle
// of rank x rank. It returns false where no signal counts.
func (s *Snapshot) system(history []Signal) ([]float32, bool) {
	n := s.factors.Cols
	a := slices.Clone(s.gram.Data)
	entries := 0
	for _, signal := range history {
		c := s.value(signal)
		if c == 0 {
			continue
		}
		entries++
		y := s.factor(signal.Item)
		for k := range n {
			axpy(c*y[k], y[k:], a[k*n+k:k*n+n])
		}
	}
	for k := range n {
		a[k*n+k] += s.penalty.entry * float32(entries)
	}
	return a, entries > 0 && factorize(a, n)
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
			axpy(-row[i], row[i:], a[i*n+i:i*n+n])
		}
	}
	return true
}

// solve replaces b with the solution of R^T R x = b. It returns false where that is not
// finite. O(n^2).
func solve(r []float32, n int, b []float32) bool {
	for k := range n {
		b[k] /= r[k*n+k]
		axpy(-b[k], r[k*n+k+1:k*n+n], b[k+1:])
	}
	for k := n - 1; k >= 0; k-- {
		b[k] = (b[k] - dot(r[k*n+k+1:k*n+n], b[k+1:])) / r[k*n+k]
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

// factorParts tells what each signal adds to an item's score: c_i y_i . A^-1 y_item.
func (s *Snapshot) factorParts(history []Signal) func(item int32, into []float32) {
	r, solvable := s.system(history)
	z, values := make([]float32, s.factors.Cols), s.signalValues(history)
	return func(item int32, into []float32) {
		clear(into)
		if copy(z, s.factor(item)); !solvable || !solve(r, len(z), z) {
			return
		}
		for i, c := range values {
			if c != 0 {
				into[i] = c * dot(z, s.factor(history[i].Item))
			}
		}
	}
}
