package cf

import (
	"context"
	"math"

	"gonum.org/v1/gonum/optimize"

	"github.com/attune-shop/attune/model/parallel"
)

const (
	// softmaxDecay is what the square of each weight costs, beside the mean loss of a list.
	softmaxDecay = 1e-4
	// contextPull is what it costs that a context's weights differ from those of all lists, and
	// contextDoubt adds to that, divided by the context's lists: few lists say little.
	contextPull  = 3e-4
	contextDoubt = .2
	// softmaxSteps bounds the steps of a fit.
	softmaxSteps = 100
	// softmaxBatch is how many lists are added up by one worker at a time.
	softmaxBatch = 64
)

// lesson is one list that is held against what was chosen: the features of its candidates, row
// by row, and the places of those that are relevant.
type lesson struct {
	features []float32
	relevant []int32
}

// softmax fits weights w by maximum likelihood: it minimizes the mean over lists of
//
//   - mean over relevant r of log(exp(w . f_r) / sum over candidates c of exp(w . f_c))
//
// plus pull |w - from|^2, by L-BFGS (Liu & Nocedal 1989) from there. Lists without anything
// relevant among their candidates say nothing. O(steps features candidates lists) time.
func softmax(ctx context.Context, lessons []lesson, from []float32, pull float64, workers int) ([]float32, error) {
	if len(lessons) == 0 {
		return from, ctx.Err()
	}
	width := len(from)
	initial := make([]float64, width)
	for i, x := range from {
		initial[i] = float64(x)
	}
	var last []float64 // where value and gradient are known
	var value float64
	gradient := make([]float64, width)
	look := func(w []float64) {
		if last != nil && equal(last, w) {
			return
		}
		value = softmaxLoss(ctx, lessons, w, gradient, workers)
		for i := range w {
			value += pull * (w[i] - initial[i]) * (w[i] - initial[i])
			gradient[i] += 2 * pull * (w[i] - initial[i])
		}
		last = append(last[:0], w...)
	}
	problem := optimize.Problem{
		Func:   func(w []float64) float64 { look(w); return value },
		Grad:   func(into, w []float64) { look(w); copy(into, gradient) },
		Status: func() (optimize.Status, error) { return optimize.NotTerminated, ctx.Err() },
	}
	settings := &optimize.Settings{
		MajorIterations: softmaxSteps,
		Converger:       &optimize.FunctionConverge{Relative: 1e-6, Iterations: 3},
	}
	result, err := optimize.Minimize(problem, initial, settings, &optimize.LBFGS{})
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if result == nil || !finiteAll(result.X) {
		return nil, err
	}
	// A line search that finds no better point ends at the best one.
	w := make([]float32, width)
	for i, x := range result.X {
		w[i] = float32(x)
	}
	return w, nil
}

func equal(a, b []float64) bool {
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

func finiteAll(v []float64) bool {
	for _, x := range v {
		if x-x != 0 {
			return false
		}
	}
	return true
}

// softmaxLoss returns the mean loss at w, and its gradient in into. The sums do not depend on
// the number of workers.
func softmaxLoss(ctx context.Context, lessons []lesson, w, into []float64, workers int) float64 {
	width := len(w)
	weights := make([]float32, width)
	for i, x := range w {
		weights[i] = float32(x)
	}
	batches := (len(lessons) + softmaxBatch - 1) / softmaxBatch
	sums := make([][]float64, batches) // the gradient, then the loss
	_ = parallel.Each(ctx, len(lessons), workers, softmaxBatch, nil, func(_, from, to int) error {
		sum := make([]float64, width+1)
		g := make([]float32, width)
		var chances []float32
		for i := from; i < to; i++ {
			chances = lessons[i].add(weights, chances, g, sum)
		}
		sums[from/softmaxBatch] = sum
		return nil
	}) // where ctx has ended, Status says so
	clear(into)
	var loss float64
	for _, sum := range sums {
		if sum == nil {
			continue
		}
		for i := range into {
			into[i] += sum[i] / float64(len(lessons))
		}
		loss += sum[width] / float64(len(lessons))
	}
	return loss
}

// add adds the gradient and the loss of one list to sum; chances and g are memory.
func (l *lesson) add(weights, chances, g []float32, sum []float64) []float32 {
	width := len(weights)
	n := len(l.features) / width
	chances = chances[:0]
	most := float32(math.Inf(-1))
	for c := range n {
		x := dot(weights, l.features[c*width:(c+1)*width])
		chances = append(chances, x)
		most = max(most, x)
	}
	var loss, total float64
	for _, r := range l.relevant {
		loss -= float64(chances[r]-most) / float64(len(l.relevant))
	}
	for c, x := range chances {
		chances[c] = float32(math.Exp(float64(x - most)))
		total += float64(chances[c])
	}
	loss += math.Log(total)
	for c := range chances {
		chances[c] /= float32(total)
	}
	for _, r := range l.relevant {
		chances[r] -= 1 / float32(len(l.relevant))
	}
	clear(g)
	for c, x := range chances {
		axpy(x, l.features[c*width:(c+1)*width], g)
	}
	for i, x := range g {
		sum[i] += float64(x)
	}
	sum[width] += loss
	return chances
}
