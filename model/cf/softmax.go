package cf

import (
	"context"
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/optimize"

	"github.com/attune-shop/attune/model/dense"
	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/model/parallel"
)

const (
	// softmaxDecay is what the square of each weight costs, beside the mean loss of a list, and
	// situationDecay what it costs where it is of a situation.
	softmaxDecay   = 1e-4
	situationDecay = 3e-4
	// softmaxSteps bounds the steps of a fit.
	softmaxSteps = 150
	// softmaxBatch is how many lists are added up by one worker at a time.
	softmaxBatch = 64
)

// lesson is one list that is held against what was chosen: the features of its candidates, row
// by row, the places of those that are relevant, and the situation of who chose.
type lesson struct {
	features  []float32
	relevant  []int32
	situation situation
}

// softmax fits weights W, situationSize x width, by maximum likelihood: it minimizes the mean over
// lists, with w = W^T z of a list's situation z, of
//
//   - mean over relevant r of log(exp(w . f_r) / sum over candidates c of exp(w . f_c))
//
// plus the decay of W, by L-BFGS (Liu & Nocedal 1989) from 0. Every list must have something
// relevant; all weights are 0 where there are no lists. O(steps width candidates lists) time.
func softmax(ctx context.Context, lessons []lesson, width, workers int) (weights [situationSize][]float32, err error) {
	for k := range weights {
		weights[k] = make([]float32, width)
	}
	if len(lessons) == 0 {
		return weights, ctx.Err()
	}
	size := situationSize * width
	var last []float64 // where value and gradient are known
	var value float64
	gradient := make([]float64, size)
	look := func(w []float64) {
		if last != nil && slices.Equal(last, w) {
			return
		}
		value = softmaxLoss(ctx, lessons, w, gradient, workers)
		for i, x := range w {
			decay := situationDecay
			if i < width {
				decay = softmaxDecay
			}
			value += decay * x * x
			gradient[i] += 2 * decay * x
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
	result, err := optimize.Minimize(problem, make([]float64, size), settings, &optimize.LBFGS{})
	if ctx.Err() != nil {
		return weights, ctx.Err()
	}
	// A line search that finds no better point ends at the best one, with an error.
	if result == nil {
		return weights, err
	}
	for i, x := range result.X {
		if x-x != 0 {
			return weights, fmt.Errorf("softmax: weights are not finite: %w", event.ErrCorrupt)
		}
		weights[i/width][i%width] = float32(x)
	}
	return weights, nil
}

// split returns w row by row.
func split(w []float64, width int) (rows [situationSize][]float32) {
	for k := range rows {
		rows[k] = make([]float32, width)
		for i := range rows[k] {
			rows[k][i] = float32(w[k*width+i])
		}
	}
	return rows
}

// softmaxLoss returns the mean loss at w, and its gradient in into. The sums do not depend on
// the number of workers.
func softmaxLoss(ctx context.Context, lessons []lesson, w, into []float64, workers int) float64 {
	width := len(w) / situationSize
	weights := split(w, width)
	batches := (len(lessons) + softmaxBatch - 1) / softmaxBatch
	sums := make([][]float64, batches) // the gradient, then the loss
	_ = parallel.Each(ctx, len(lessons), workers, softmaxBatch, nil, func(_, from, to int) error {
		sum := make([]float64, len(w)+1)
		memory := lessonMemory{weights: make([]float32, width), gradient: make([]float32, width)}
		for i := from; i < to; i++ {
			lessons[i].add(&weights, &memory, sum)
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
		loss += sum[len(w)] / float64(len(lessons))
	}
	return loss
}

// lessonMemory is used again from list to list.
type lessonMemory struct{ weights, gradient, chances []float32 }

// add adds the gradient and the loss of one list to sum.
func (l *lesson) add(weights *[situationSize][]float32, m *lessonMemory, sum []float64) {
	width := len(m.weights)
	clear(m.weights)
	l.situation.add(weights, m.weights)
	m.chances = m.chances[:0]
	most := float32(math.Inf(-1))
	for c := range len(l.features) / width {
		x := dense.Dot(m.weights, l.features[c*width:(c+1)*width])
		m.chances = append(m.chances, x)
		most = max(most, x)
	}
	var loss, total float64
	for _, r := range l.relevant {
		loss -= float64(m.chances[r]-most) / float64(len(l.relevant))
	}
	for c, x := range m.chances {
		m.chances[c] = float32(math.Exp(float64(x - most)))
		total += float64(m.chances[c])
	}
	loss += math.Log(total)
	for c := range m.chances {
		m.chances[c] /= float32(total)
	}
	for _, r := range l.relevant {
		m.chances[r] -= 1 / float32(len(l.relevant))
	}
	clear(m.gradient)
	for c, x := range m.chances {
		dense.Axpy(x, l.features[c*width:(c+1)*width], m.gradient)
	}
	for k, z := range l.situation {
		if z == 0 {
			continue
		}
		for i, x := range m.gradient {
			sum[k*width+i] += float64(z * x)
		}
	}
	sum[situationSize*width] += loss
}
