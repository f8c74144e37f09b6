package dense

import (
	"errors"
	"math"
	"testing"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas32"
	"gonum.org/v1/gonum/mat"
)

// float64s returns a matrix, or its transpose, for the oracle.
func float64s(trans blas.Transpose, a blas32.General) mat.Matrix {
	d := mat.NewDense(max(a.Rows, 1), max(a.Cols, 1), nil)
	for i := range a.Rows {
		for j := range a.Cols {
			d.Set(i, j, float64(a.Data[i*a.Stride+j]))
		}
	}
	if trans == blas.NoTrans {
		return d
	}
	return d.T()
}

// stored returns an m x n matrix, stored as its transpose where told.
func stored(seed uint64, trans blas.Transpose, m, n, apart int) blas32.General {
	if trans == blas.NoTrans {
		return random(seed, m, n, apart)
	}
	return random(seed, n, m, apart)
}

func TestGemm(t *testing.T) {
	onEverySet(t, func(t *testing.T) {
		for k, size := range [][3]int{
			{0, 3, 2}, {3, 0, 2}, {3, 2, 0}, {1, 1, 1}, {4, 4, 4}, {5, 7, 3}, {12, 32, 8}, {13, 33, 257}, {11, 31, 256},
			{64, 64, 64}, {241, 17, 300}, {100, 520, 5}, {37, 530, 600}, {500, 3, 40},
		} {
			for _, transA := range []blas.Transpose{blas.NoTrans, blas.Trans} {
				for _, transB := range []blas.Transpose{blas.NoTrans, blas.Trans} {
					checkGemm(t, size[0], size[1], size[2], k%3, transA, transB)
				}
			}
		}
	})
}

func checkGemm(t *testing.T, m, n, inner, apart int, transA, transB blas.Transpose) {
	t.Helper()
	a, b := stored(1, transA, m, inner, apart), stored(2, transB, inner, n, 2*apart)
	got := sameForAllWorkers(t, func(workers int) blas32.General {
		c := random(3, m, n, apart)
		if err := Gemm(t.Context(), transA, transB, -.5, a, b, c, workers, nil); err != nil {
			t.Fatal(err)
		}
		return c
	})
	begin := random(3, m, n, apart)
	var product mat.Dense
	product.Mul(float64s(transA, a), float64s(transB, b))
	for i := range m {
		for j := range n {
			want := float64(begin.Data[i*got.Stride+j]) - .5*product.At(i, j)
			if x := got.Data[i*got.Stride+j]; !near(x, want, inner) {
				t.Fatalf("%d x %d x %d: (%d, %d) is %g, want %g", m, n, inner, i, j, x, want)
			}
		}
	}
}

func TestSyrk(t *testing.T) {
	onEverySet(t, func(t *testing.T) {
		for k, size := range [][2]int{{0, 1}, {1, 0}, {1, 1}, {5, 9}, {12, 12}, {33, 257}, {64, 1000}, {250, 40}, {530, 20}} {
			for _, trans := range []blas.Transpose{blas.NoTrans, blas.Trans} {
				checkSyrk(t, size[0], size[1], k%3, trans)
			}
		}
	})
}

func checkSyrk(t *testing.T, n, inner, apart int, trans blas.Transpose) {
	t.Helper()
	a := stored(1, trans, n, inner, apart)
	got := sameForAllWorkers(t, func(workers int) blas32.General {
		c := random(3, n, n, apart)
		for i := range n {
			for j := i + 1; j < n; j++ {
				c.Data[i*c.Stride+j] = float32(math.NaN())
			}
		}
		if err := Syrk(t.Context(), trans, 2, a, c, workers, nil); err != nil {
			t.Fatal(err)
		}
		return c
	})
	begin := random(3, n, n, apart)
	var product mat.Dense
	product.Mul(float64s(trans, a), float64s(trans, a).T())
	for i := range n {
		for j := range n {
			x := got.Data[i*got.Stride+j]
			if want := float64(begin.Data[i*got.Stride+j]) + 2*product.At(i, j); j <= i && !near(x, want, inner) {
				t.Fatalf("%d x %d: (%d, %d) is %g, want %g", n, inner, i, j, x, want)
			}
			if j > i && !math.IsNaN(float64(x)) {
				t.Fatalf("%d x %d: (%d, %d) was written", n, inner, i, j)
			}
		}
	}
}

// positive returns X^T X / n + I of a random X: its lower triangle, NaN above.
func positive(seed uint64, n, apart int) blas32.General {
	x := random(seed, n, n, 0)
	a := random(seed, n, n, apart)
	var gram mat.Dense
	if n > 0 {
		gram.Mul(float64s(blas.Trans, x), float64s(blas.NoTrans, x))
	}
	for i := range n {
		for j := range n {
			switch {
			case j > i:
				a.Data[i*a.Stride+j] = float32(math.NaN())
			case j == i:
				a.Data[i*a.Stride+j] = float32(gram.At(i, j)/float64(n) + 1)
			default:
				a.Data[i*a.Stride+j] = float32(gram.At(i, j) / float64(n))
			}
		}
	}
	return a
}

// symmetric is a lower triangle in full, for the oracle.
func symmetric(a blas32.General) *mat.SymDense {
	s := mat.NewSymDense(a.Rows, nil)
	for i := range a.Rows {
		for j := range i + 1 {
			s.SetSym(i, j, float64(a.Data[i*a.Stride+j]))
		}
	}
	return s
}

var orders = []int{0, 1, 2, 15, 33, 64, 191, 192, 193, 300, 530}

func TestCholesky(t *testing.T) {
	onEverySet(t, func(t *testing.T) {
		for k, n := range orders {
			got := sameForAllWorkers(t, func(workers int) blas32.General {
				a := positive(uint64(n), n, k%3)
				if err := Cholesky(t.Context(), a, workers, nil); err != nil {
					t.Fatal(err)
				}
				return a
			})
			if n == 0 {
				continue
			}
			var want mat.Cholesky
			if !want.Factorize(symmetric(positive(uint64(n), n, k%3))) {
				t.Fatal("the oracle has no factor")
			}
			var l mat.TriDense
			want.LTo(&l)
			for i := range n {
				for j := range n {
					x := got.Data[i*got.Stride+j]
					if j > i && !math.IsNaN(float64(x)) {
						t.Fatalf("%d: (%d, %d) was written", n, i, j)
					}
					if j <= i && !near(x, l.At(i, j), 1) {
						t.Fatalf("%d: (%d, %d) is %g, want %g", n, i, j, x, l.At(i, j))
					}
				}
			}
		}
	})
}

func TestInvert(t *testing.T) {
	onEverySet(t, func(t *testing.T) {
		for k, n := range orders {
			got := sameForAllWorkers(t, func(workers int) blas32.General {
				a := positive(uint64(n), n, k%3)
				if err := Invert(t.Context(), a, workers, nil); err != nil {
					t.Fatal(err)
				}
				return a
			})
			if n == 0 {
				continue
			}
			var want mat.Dense
			if err := want.Inverse(symmetric(positive(uint64(n), n, k%3))); err != nil {
				t.Fatal(err)
			}
			for i := range n {
				for j := range n {
					if x := got.Data[i*got.Stride+j]; !near(x, want.At(i, j), 1) {
						t.Fatalf("%d: (%d, %d) is %g, want %g", n, i, j, x, want.At(i, j))
					}
				}
			}
		}
	})
}

func TestNotPositiveDefinite(t *testing.T) {
	onEverySet(t, func(t *testing.T) {
		for _, bad := range []float32{-1, 0, float32(math.NaN()), float32(math.Inf(1)), float32(math.Inf(-1))} {
			for _, n := range []int{1, 10, 300} {
				for _, at := range []int{0, n / 2, n - 1} {
					for name, compute := range map[string]func(blas32.General) error{
						"cholesky": func(a blas32.General) error { return Cholesky(t.Context(), a, 2, nil) },
						"invert":   func(a blas32.General) error { return Invert(t.Context(), a, 2, nil) },
					} {
						a := positive(1, n, 0)
						a.Data[at*n+at] = bad
						if err := compute(a); !errors.Is(err, ErrNotPositiveDefinite) {
							t.Fatalf("%s: %g at %d of %d: %v", name, bad, at, n, err)
						}
					}
				}
			}
		}
	})
}

func TestNaNSpreads(t *testing.T) {
	onEverySet(t, func(t *testing.T) {
		a, c := random(1, 50, 70, 0), Zeros(50, 50)
		a.Data[3*70+5] = float32(math.NaN())
		if err := Gemm(t.Context(), blas.NoTrans, blas.Trans, 1, a, a, c, 2, nil); err != nil {
			t.Fatal(err)
		}
		for i := range 50 {
			for j := range 50 {
				if got := math.IsNaN(float64(c.Data[i*50+j])); got != (i == 3 || j == 3) {
					t.Fatalf("(%d, %d) is %g", i, j, c.Data[i*50+j])
				}
			}
		}
	})
}
