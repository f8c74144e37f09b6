package cf

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
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
			chances[c] = math.Exp(float64(dot(weights, row)))
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
	want := []float32{1, -.5, 0, 2}
	lessons := lessonsOf(1, 40_000, 8, want)
	got, err := softmax(t.Context(), lessons, make([]float32, len(want)), 1e-6, 2)
	if err != nil {
		t.Fatal(err)
	}
	for i := range want {
		if math.Abs(float64(got[i]-want[i])) > .05 {
			t.Fatalf("%v, want %v", got, want)
		}
	}
	for _, workers := range []int{1, 3} {
		again, err := softmax(t.Context(), lessons, make([]float32, len(want)), 1e-6, workers)
		if err != nil || !slices.Equal(again, got) {
			t.Fatalf("%v by %d workers, want %v: %v", again, workers, got, err)
		}
	}
}

func TestSoftmaxGradient(t *testing.T) {
	lessons := lessonsOf(2, 100, 6, []float32{.5, -1, 2})
	lessons[3].relevant = []int32{0, 2, 5}
	w := []float64{.3, .2, -.4}
	gradient, ignored := make([]float64, 3), make([]float64, 3)
	softmaxLoss(t.Context(), lessons, w, gradient, 2)
	for i := range w {
		const step = 1e-3
		up, down := slices.Clone(w), slices.Clone(w)
		up[i] += step
		down[i] -= step
		want := (softmaxLoss(t.Context(), lessons, up, ignored, 1) - softmaxLoss(t.Context(), lessons, down, ignored, 1)) / (2 * step)
		if !near(gradient[i], want, 1e-3) {
			t.Errorf("by weight %d: %g, want %g", i, gradient[i], want)
		}
	}
}

func TestSoftmaxIsPulledAndEnds(t *testing.T) {
	from := []float32{1, 2}
	if got, err := softmax(t.Context(), nil, from, 1, 2); err != nil || !slices.Equal(got, from) {
		t.Fatalf("of nothing: %v, %v", got, err)
	}
	got, err := softmax(t.Context(), lessonsOf(3, 50, 4, []float32{-3, 0}), from, 1e4, 2)
	if err != nil || math.Abs(float64(got[0]-1)) > .01 || math.Abs(float64(got[1]-2)) > .01 {
		t.Fatalf("pulled hard: %v, %v", got, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := softmax(ctx, lessonsOf(3, 50, 4, []float32{-3, 0}), from, 1e-4, 2); !errors.Is(err, context.Canceled) {
		t.Fatalf("cancelled: %v", err)
	}
	broken := []lesson{{features: []float32{float32(math.NaN()), 1, 2, 3}, relevant: []int32{0}}}
	if got, err := softmax(t.Context(), broken, from, 1e-4, 1); err == nil && !finite(got) {
		t.Fatalf("of what is no number: %v", got)
	}
}
