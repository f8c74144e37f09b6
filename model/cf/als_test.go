package cf

import (
	"math"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/mat"
	"pgregory.net/rapid"

	"github.com/attune-shop/attune/model/cf/cftest"
	"github.com/attune-shop/attune/model/cf/feedback"
	"github.com/attune-shop/attune/model/dense"
)

// TestALSSolvesItsSystem: conjugate gradient run to the end meets the normal equations.
func TestALSSolvesItsSystem(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rank, n := rapid.IntRange(1, 6).Draw(t, "rank"), rapid.IntRange(1, 12).Draw(t, "rows")
		random := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		y := dense.Zeros(n, rank)
		p := penalty{unobserved: .2, entry: .03}
		for i := range y.Data {
			y.Data[i] = float32(random.NormFloat64())
		}
		columns, values := []int32{}, []float32{}
		for i := range n {
			if random.IntN(2) == 0 {
				columns, values = append(columns, int32(i)), append(values, random.Float32()+.5)
			}
		}
		x := make([]float32, rank)
		var g gradient
		for range 30 {
			g.solve(p.gram(y), p.entry, columns, values, y, x)
		}
		want := normalEquations(p, y.Data, n, rank, columns, values)
		for k := range rank {
			if !cftest.Near(float64(x[k]), want.AtVec(k), 1e-3) {
				t.Fatalf("x[%d] is %g, want %g", k, x[k], want.AtVec(k))
			}
		}
	})
}

// normalEquations solves for one row of factors densely.
func normalEquations(p penalty, y []float32, n, rank int, columns []int32, values []float32) *mat.VecDense {
	a, b := mat.NewDense(rank, rank, nil), mat.NewVecDense(rank, nil)
	add := func(i int, c, diagonal float64) {
		for k := range rank {
			for q := range rank {
				a.Set(k, q, a.At(k, q)+c*float64(y[i*rank+k])*float64(y[i*rank+q]))
			}
			a.Set(k, k, a.At(k, k)+diagonal)
		}
	}
	for i := range n {
		add(i, float64(p.unobserved), float64(p.unobserved*p.entry))
	}
	for k, i := range columns {
		add(int(i), float64(values[k]), float64(p.entry))
		for q := range rank {
			b.SetVec(q, b.AtVec(q)+float64(values[k])*float64(y[int(i)*rank+q]))
		}
	}
	var x mat.VecDense
	if err := x.SolveVec(a, b); err != nil {
		panic(err)
	}
	return &x
}

func TestFoldInSolvesTheVisitorsSystem(t *testing.T) {
	d := cftest.Shop(4, 60, 50, 900)
	s, err := Fit(t.Context(), d, Plan{Algorithm: ALS, Settings: Settings{Lambda: 4}}, Options{Factors: 8, Seed: 3}, nil)
	if err != nil {
		t.Fatal(err)
	}
	history := []feedback.Signal{{Item: 3, Weight: 1}, {Item: 7, Weight: 5}, {Item: 20, Weight: .5}}
	var sc Scratch
	scores := s.Score(history, &sc)
	if len(scores) != d.Items() {
		t.Fatalf("%d scores of %d items", len(scores), d.Items())
	}
	var columns []int32
	var values []float32
	for _, x := range history {
		columns, values = append(columns, x.Item), append(values, float32(math.Log2(1+float64(x.Weight))))
	}
	want := normalEquations(s.penalty, s.factors.Data, d.Items(), 8, columns, values)
	for _, c := range scores {
		var sum float64
		for k, y := range s.factor(c.Item) {
			sum += want.AtVec(k) * float64(y)
		}
		if !cftest.Near(float64(c.Score), sum, 1e-3) {
			t.Fatalf("item %d scores %g, want %g", c.Item, c.Score, sum)
		}
	}
	checkExplain(t, s, history)
}
