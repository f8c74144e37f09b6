package cf

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"github.com/attune-shop/attune/model/cf/cftest"
	"github.com/attune-shop/attune/model/dense"
)

// lessonsOf draws lists whose relevant candidate is chosen as a softmax with these weights does.
func lessonsOf(seed uint64, n, candidates int, weights []float32) []lesson {
	random := rand.New(rand.NewPCG(seed, 0))
	lessons := make([]lesson, n)
	for k := range lessons {
		l := &lessons[k]
		chances := make([]float64, candidates)
		var total float64
		for c := range chances {
			row := make([]float32, len(weights))
			for i := range row {
				row[i] = float32(random.NormFloat64())
			}
			l.features = append(l.features, row...)
			chances[c] = math.Exp(float64(dense.Dot(weights, row)))
			total += chances[c]
		}
		at := random.Float64() * total
		for c, x := range chances {
			if at -= x; at <= 0 {
				l.relevant = []int32{int32(c)}
				break
			}
		}
	}
	return lessons
}

func TestSoftmaxFindsTheWeights(t *testing.T) {
	// What is chosen depends on the situation: its last number, of which half of the lists have 1,
	// turns the second weight around.
	plain, turned := []float32{1, -.5, 0, 2}, []float32{1, .5, 0, 2}
	lessons := lessonsOf(1, 20_000, 8, plain)
	for _, l := range lessonsOf(2, 20_000, 8, turned) {
		l.situation[situationSize-1] = 1
		lessons = append(lessons, l)
	}
	for k := range lessons {
		lessons[k].situation[0] = 1
	}
	got, err := softmax(t.Context(), lessons, len(plain), 2)
	if err != nil {
		t.Fatal(err)
	}
	for i := range plain {
		if !cftest.Near(float64(got[0][i]), float64(plain[i]), .07) || !cftest.Near(float64(got[0][i]+got[situationSize-1][i]), float64(turned[i]), .07) {
			t.Fatalf("%v, want %v and %v", got, plain, turned)
		}
	}
	for _, workers := range []int{1, 3} {
		again, err := softmax(t.Context(), lessons, len(plain), workers)
		if err != nil || !reflect.DeepEqual(again, got) {
			t.Fatalf("%v by %d workers, want %v: %v", again, workers, got, err)
		}
	}
}

func TestSoftmaxGradient(t *testing.T) {
	lessons := lessonsOf(2, 100, 6, []float32{.5, -1, 2})
	lessons[3].relevant = []int32{0, 2, 5}
	random := rand.New(rand.NewPCG(3, 0))
	for k := range lessons {
		for i := range lessons[k].situation {
			lessons[k].situation[i] = float32(random.IntN(3)) / 2
		}
	}
	w := make([]float64, 3*situationSize)
	for i := range w {
		w[i] = random.NormFloat64() / 3
	}
	gradient, ignored := make([]float64, len(w)), make([]float64, len(w))
	softmaxLoss(t.Context(), lessons, w, gradient, 2)
	for i := range w {
		const step = 1e-3
		up, down := slices.Clone(w), slices.Clone(w)
		up[i] += step
		down[i] -= step
		want := (softmaxLoss(t.Context(), lessons, up, ignored, 1) - softmaxLoss(t.Context(), lessons, down, ignored, 1)) / (2 * step)
		if !cftest.Near(gradient[i], want, 2e-3) {
			t.Errorf("by weight %d: %g, want %g", i, gradient[i], want)
		}
	}
}

func TestSoftmaxEnds(t *testing.T) {
	got, err := softmax(t.Context(), nil, 2, 2)
	if err != nil || !finite(got[0]) || len(got[situationSize-1]) != 2 {
		t.Fatalf("of nothing: %v, %v", got, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := softmax(ctx, lessonsOf(3, 50, 4, []float32{-3, 0}), 2, 2); !errors.Is(err, context.Canceled) {
		t.Fatalf("cancelled: %v", err)
	}
	broken := []lesson{{features: []float32{float32(math.NaN()), 1, 2, 3}, relevant: []int32{0}, situation: situation{1}}}
	if got, err := softmax(t.Context(), broken, 2, 1); err == nil && !finite(got[0]) {
		t.Fatalf("of what is no number: %v", got)
	}
}
