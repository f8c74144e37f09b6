package dense

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"gonum.org/v1/gonum/blas/blas32"
)

// onEverySet runs a test with each instruction set that the CPU has.
func onEverySet(t *testing.T, test func(t *testing.T)) {
	for s, name := range []string{"portable", "avx2", "avx512"} {
		t.Run(name, func(t *testing.T) {
			if set(s) > widest() {
				t.Skip("the CPU has none")
			}
			defer func(was set) { active = was }(active)
			active = set(s)
			test(t)
		})
	}
}

func fill(a blas32.General, random *rand.Rand) {
	for i := range a.Data {
		a.Data[i] = float32(random.NormFloat64())
	}
}

// random returns a matrix with rows more numbers apart than they are long, which are NaN.
func random(seed uint64, rows, columns, apart int) blas32.General {
	a := blas32.General{Rows: rows, Cols: columns, Stride: max(columns+apart, 1)}
	a.Data = make([]float32, rows*a.Stride)
	fill(a, rand.New(rand.NewPCG(seed, 0)))
	for i := range rows {
		for j := columns; j < columns+apart; j++ {
			a.Data[i*a.Stride+j] = float32(math.NaN())
		}
	}
	return a
}

func vector(seed uint64, n int) []float32 { return random(seed, 1, n, 0).Data[:n] }

// near tells whether a float32 sum of n products is what float64 says, each about 1.
func near(got float32, want float64, n int) bool {
	return math.Abs(float64(got)-want) <= 1e-5*math.Sqrt(float64(n)+1)*(1+math.Abs(want))
}

func TestDotAndAxpy(t *testing.T) {
	onEverySet(t, func(t *testing.T) {
		for n := range 200 {
			x, y := vector(1, n), vector(2, n+3)
			var want float64
			for i := range x {
				want += float64(x[i]) * float64(y[i])
			}
			if got := Dot(x, y); !near(got, want, n) {
				t.Fatalf("%d: dot is %g, want %g", n, got, want)
			}
			z := slices.Clone(y)
			Axpy(.75, x, z)
			for i := range z {
				sum := float64(y[i])
				if i < n {
					sum += .75 * float64(x[i])
				}
				if !near(z[i], sum, 1) {
					t.Fatalf("%d: axpy gives %g at %d, want %g", n, z[i], i, sum)
				}
			}
		}
	})
}

func TestRows(t *testing.T) {
	onEverySet(t, func(t *testing.T) {
		for width := range 150 {
			for _, n := range []int{0, 1, 3, 4, 7, 16} {
				y := random(uint64(width), 20, width, n%3)
				rows := make([]int32, n)
				for k := range rows {
					rows[k] = int32((k*7 + width) % y.Rows)
				}
				checkDotsAndSums(t, y, rows)
			}
		}
	})
}

func checkDotsAndSums(t *testing.T, y blas32.General, rows []int32) {
	t.Helper()
	at := func(r int32, j int) float64 { return float64(y.Data[int(r)*y.Stride+j]) }
	x, c, all := vector(1, y.Cols), vector(2, len(rows)), vector(3, y.Rows)
	into, sum, product := make([]float32, len(rows)), vector(4, y.Cols), vector(4, y.Cols)
	begin := slices.Clone(sum)
	Dots(y, rows, x, into)
	AddRows(y, rows, c, sum)
	AddAllRows(y, all, product)
	for k, r := range rows {
		var want float64
		for j := range x {
			want += at(r, j) * float64(x[j])
		}
		if !near(into[k], want, y.Cols) {
			t.Fatalf("%d rows of %d: dot %d is %g, want %g", len(rows), y.Cols, k, into[k], want)
		}
	}
	for j := range sum {
		want, wanted := float64(begin[j]), float64(begin[j])
		for k, r := range rows {
			want += at(r, j) * float64(c[k])
		}
		for r := range all {
			wanted += at(int32(r), j) * float64(all[r])
		}
		if !near(sum[j], want, len(rows)) || !near(product[j], wanted, y.Rows) {
			t.Fatalf("%d rows of %d: sums %d are %g and %g, want %g and %g", len(rows), y.Cols, j, sum[j], product[j], want, wanted)
		}
	}
}

func TestWrongShapesPanic(t *testing.T) {
	a := Zeros(3, 4)
	for name, call := range map[string]func(){
		"dot":   func() { Dot(make([]float32, 3), make([]float32, 2)) },
		"row":   func() { Dots(a, []int32{3}, make([]float32, 4), make([]float32, 1)) },
		"width": func() { AddAllRows(a, make([]float32, 3), make([]float32, 3)) },
		"stride": func() {
			AddAllRows(blas32.General{Rows: 3, Cols: 4, Stride: 4, Data: a.Data[:11]}, make([]float32, 3), make([]float32, 4))
		},
		"square": func() { _ = Invert(t.Context(), a, 1, nil) },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Fatal("no panic")
				}
			}()
			call()
		})
	}
}

// sameForAllWorkers holds what compute writes to be the same bytes for 1, 2 and 3 workers.
func sameForAllWorkers(t *testing.T, compute func(workers int) blas32.General) blas32.General {
	t.Helper()
	first := compute(1)
	for workers := 2; workers <= 3; workers++ {
		for i, x := range compute(workers).Data {
			if math.Float32bits(x) != math.Float32bits(first.Data[i]) {
				t.Fatalf("%d workers: %g at %d, and %g with one", workers, x, i, first.Data[i])
			}
		}
	}
	return first
}

func TestCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	a := positive(1, 700, 0)
	err := Invert(ctx, a, 2, func(float64) { cancel() })
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("the error is %v", err)
	}
}

func TestProgressRises(t *testing.T) {
	for name, compute := range map[string]func(done func(float64)) error{
		"multiply": func(done func(float64)) error {
			return Gemm(t.Context(), 'N', 'N', 1, Zeros(600, 600), Zeros(600, 600), Zeros(600, 600), 2, done)
		},
		"cholesky": func(done func(float64)) error { return Cholesky(t.Context(), positive(1, 700, 0), 2, done) },
		"invert":   func(done func(float64)) error { return Invert(t.Context(), positive(1, 700, 0), 2, done) },
	} {
		t.Run(name, func(t *testing.T) {
			last, calls := 0., 0
			err := compute(func(x float64) {
				if x < last || x > 1 {
					t.Errorf("%g after %g", x, last)
				}
				last, calls = x, calls+1
			})
			if err != nil || last != 1 || calls < 3 {
				t.Fatal(err, fmt.Sprintf("the last of %d is %g", calls, last))
			}
		})
	}
}

func TestFetchLeavesWhatItFetches(t *testing.T) {
	for n := range 70 {
		x := make([]float32, n)
		Fetch(x)
		Fetch(x[n/2:])
		Fetch(make([]int32, n))
		if slices.ContainsFunc(x, func(x float32) bool { return x != 0 }) {
			t.Fatalf("%d numbers became %v", n, x)
		}
	}
}
