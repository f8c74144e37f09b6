package propensity

import (
	"context"
	"math"
	"math/rand/v2"
	"testing"
)

// anyTable draws rows that weights and a bias explain; the last column is constant.
func anyTable(rng *rand.Rand, n, width int) *table {
	t := &table{width: width}
	for range n {
		row, z := make([]float32, width), -1.
		for j := range width - 1 {
			row[j] = float32(rng.NormFloat64()*float64(j+1) + 3)
			z += float64(row[j]-3) / float64(j+1) * float64(j%3-1)
		}
		row[width-1] = .1
		t.add(row, rng.Float64() < sigmoid(z))
	}
	return t
}

// naiveLoss is what fit minimizes, as its formula says.
func naiveLoss(t *table, s scaling, at []float64, penalty float64) (value float64) {
	for i := range t.rows() {
		z := at[t.width]
		for j, x := range t.row(i) {
			if s.deviation[j] > 0 {
				z += at[j] * (float64(x) - s.mean[j]) / s.deviation[j]
			}
		}
		y := -1.
		if t.positive[i] {
			y = 1
		}
		value += math.Log(1+math.Exp(-y*z)) / float64(t.rows())
	}
	for _, w := range at[:t.width] {
		value += penalty / 2 * w * w
	}
	return value
}

func TestLoss(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	x := anyTable(rng, 3*batch/2, 5)
	s := newScaling(x)
	if s.deviation[4] != 0 || math.Abs(s.mean[1]-3) > .2 || math.Abs(s.deviation[1]-2) > .2 {
		t.Errorf("scaled by %+v", s)
	}
	at := make([]float64, 6)
	for i := range at {
		at[i] = rng.NormFloat64()
	}
	of := func(workers int) *loss {
		l := &loss{ctx: t.Context(), table: x, scaling: s, penalty: .3, workers: workers}
		l.look(at)
		return l
	}
	l, two := of(1), of(2)
	if want := naiveLoss(x, s, at, .3); math.Abs(l.value-want) > 1e-9 {
		t.Errorf("the loss is %v, not %v", l.value, want)
	}
	for i := range at {
		const h = 1e-5
		up, down := append([]float64(nil), at...), append([]float64(nil), at...)
		up[i], down[i] = at[i]+h, at[i]-h
		want := (naiveLoss(x, s, up, .3) - naiveLoss(x, s, down, .3)) / (2 * h)
		if math.Abs(l.gradient[i]-want) > 1e-7 {
			t.Errorf("gradient %d is %v, not %v", i, l.gradient[i], want)
		}
		if two.gradient[i] != l.gradient[i] || two.value != l.value {
			t.Error("two workers add up to something else")
		}
	}
}

// TestFit ends where no step is better, and finds the weights that rows were drawn by.
func TestFit(t *testing.T) {
	x := anyTable(rand.New(rand.NewPCG(2, 3)), 20_000, 5)
	for _, penalty := range []float64{1e-4, .1} {
		l, err := fit(t.Context(), x, penalty, nil, 2)
		if err != nil {
			t.Fatal(err)
		}
		at := append(append([]float64(nil), l.weights...), l.bias)
		least := naiveLoss(x, l.scaling, at, penalty)
		for i := range at {
			for _, step := range []float64{-.02, .02} {
				moved := append([]float64(nil), at...)
				moved[i] += step
				if i < 4 && naiveLoss(x, l.scaling, moved, penalty) < least {
					t.Errorf("penalty %v: weight %d is better %+v off", penalty, i, step)
				}
			}
		}
		if penalty < .01 && (math.Abs(l.weights[0]+1) > .1 || math.Abs(l.weights[1]) > .1 || math.Abs(l.weights[2]-1) > .1) || l.weights[4] != 0 {
			t.Errorf("penalty %v: weights %v", penalty, l.weights)
		}
		again, err := fit(t.Context(), x, penalty, l, 1)
		if err != nil || math.Abs(again.bias-l.bias) > .01 {
			t.Errorf("from its own result: %v, bias %v and %v", err, again.bias, l.bias)
		}
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := fit(ended, x, .1, nil, 1); err == nil {
		t.Error("fitted although nobody waits for it")
	}
}

// TestFitNothing: where no feature tells anything, the share is the answer. One that tells all is held back.
func TestFitNothing(t *testing.T) {
	same, apart := &table{width: 2}, &table{width: 2}
	for i := range 100 {
		same.add([]float32{7, 0}, i < 25)
		apart.add([]float32{float32(i / 50), 1e6}, i >= 50)
	}
	l, err := fit(t.Context(), same, .0001, nil, 1)
	if err != nil || math.Abs(l.probability([]float32{9, 9})-.25) > 1e-6 {
		t.Errorf("%v: %+v", err, l)
	}
	l, err = fit(t.Context(), apart, .0001, nil, 1)
	if err != nil || l.probability([]float32{1, 1e6}) < .95 || l.probability([]float32{0, 1e6}) > .05 || !finite(l.weights[0]) {
		t.Errorf("%v: %+v", err, l)
	}
}
