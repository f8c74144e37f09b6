package propensity

import (
	"context"
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/optimize"

	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/model/parallel"
)

const (
	// fitSteps bounds the steps of a fit.
	fitSteps = 300
	// batch is how many rows are added up by one worker at a time.
	batch = 2048
)

// table holds n rows of features, each of width numbers, and whether each is positive.
type table struct {
	width    int
	x        []float32
	positive []bool
}

func (t *table) rows() int { return len(t.positive) }

func (t *table) row(i int) []float32 { return t.x[i*t.width : (i+1)*t.width] }

func (t *table) add(x []float32, positive bool) {
	t.x, t.positive = append(t.x, x...), append(t.positive, positive)
}

// positives returns how many rows are.
func (t *table) positives() (n int) {
	for _, p := range t.positive {
		if p {
			n++
		}
	}
	return n
}

// scaling brings each feature to mean 0 and standard deviation 1. A feature that is the same in
// all rows has deviation 0, and weighs nothing.
type scaling struct{ mean, deviation []float64 }

// newScaling returns that of the rows of a table, which must not be empty. O(n width).
func newScaling(t *table) scaling {
	s := scaling{mean: make([]float64, t.width), deviation: make([]float64, t.width)}
	n := float64(t.rows())
	for i := range t.rows() {
		for j, x := range t.row(i) {
			s.mean[j] += float64(x)
		}
	}
	for j := range s.mean {
		s.mean[j] /= n
	}
	for i := range t.rows() {
		for j, x := range t.row(i) {
			d := float64(x) - s.mean[j]
			s.deviation[j] += d * d
		}
	}
	for j, sum := range s.deviation {
		s.deviation[j] = math.Sqrt(sum / n)
		if s.deviation[j] <= math.Abs(s.mean[j])*1e-6 { // as rounding leaves it
			s.deviation[j] = 0
		}
	}
	return s
}

// logistic is a fitted regression: the probability of a row x is
//
//	1 / (1 + exp(-(bias + sum over j of weights[j] (x[j] - mean[j]) / deviation[j])))
type logistic struct {
	scaling
	bias    float64
	weights []float64
}

// probability returns that of one row.
func (l *logistic) probability(x []float32) float64 {
	z := l.bias
	for j, w := range l.weights {
		if l.deviation[j] > 0 {
			z += w * (float64(x[j]) - l.mean[j]) / l.deviation[j]
		}
	}
	return sigmoid(z)
}

func sigmoid(z float64) float64 { return 1 / (1 + math.Exp(-z)) }

// softplus returns log(1 + exp(z)) without overflow.
func softplus(z float64) float64 { return max(z, 0) + math.Log1p(math.Exp(-math.Abs(z))) }

// fit minimizes, over the bias b and the weights w,
//
//	mean over rows of log(1 + exp(-y (b + w . x))) + penalty/2 |w|^2
//
// with y 1 or -1 and x scaled, by L-BFGS (Liu & Nocedal 1989) from start, which may be nil: w = 0 and
// the b that is best there. b is not penalized. The sums do not depend on the number of workers. The table
// must have rows of both kinds. O(steps n width).
func fit(ctx context.Context, t *table, penalty float64, start *logistic, workers int) (*logistic, error) {
	l := &logistic{scaling: newScaling(t), weights: make([]float64, t.width)}
	loss := &loss{ctx: ctx, table: t, scaling: l.scaling, penalty: penalty, workers: workers}
	problem := optimize.Problem{
		Func:   func(w []float64) float64 { loss.look(w); return loss.value },
		Grad:   func(into, w []float64) { loss.look(w); copy(into, loss.gradient) },
		Status: func() (optimize.Status, error) { return optimize.NotTerminated, ctx.Err() },
	}
	from := make([]float64, t.width+1)
	if start != nil {
		copy(from, start.weights)
		from[t.width] = start.bias
	} else {
		share := float64(t.positives()) / float64(t.rows())
		from[t.width] = math.Log(share / (1 - share))
	}
	settings := &optimize.Settings{
		MajorIterations: fitSteps, GradientThreshold: 1e-8,
		Converger: &optimize.FunctionConverge{Absolute: 1e-8, Iterations: 5},
	}
	result, err := optimize.Minimize(problem, from, settings, &optimize.LBFGS{})
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	// A line search that finds no better point ends at the best one, with an error.
	if result == nil {
		return nil, err
	}
	for _, x := range result.X {
		if !finite(x) {
			return nil, fmt.Errorf("logistic regression: weights are not finite: %w", event.ErrCorrupt)
		}
	}
	copy(l.weights, result.X)
	l.bias = result.X[t.width]
	return l, nil
}

func finite(x float64) bool { return x-x == 0 }

// loss is what fit minimizes, at the point that was looked at last: the weights, then the bias.
type loss struct {
	ctx     context.Context
	table   *table
	scaling scaling
	penalty float64
	workers int

	last     []float64
	value    float64
	gradient []float64
}

// look sets value and gradient at a point.
func (l *loss) look(at []float64) {
	if l.last != nil && slices.Equal(l.last, at) {
		return
	}
	width, n := l.table.width, l.table.rows()
	// w . x scaled is raw . x + bias, so that no scaled copy of the table is needed.
	raw, bias := make([]float64, width), at[width]
	for j := range raw {
		if d := l.scaling.deviation[j]; d > 0 {
			raw[j] = at[j] / d
			bias -= raw[j] * l.scaling.mean[j]
		}
	}
	sums := make([][]float64, (n+batch-1)/batch) // the gradient by raw and bias, then the loss
	_ = parallel.Each(l.ctx, n, l.workers, batch, nil, func(_, from, to int) error {
		sum := make([]float64, width+2)
		for i := from; i < to; i++ {
			l.table.addLoss(i, raw, bias, sum)
		}
		sums[from/batch] = sum
		return nil
	}) // where ctx has ended, Status says so
	total := make([]float64, width+2)
	for _, sum := range sums {
		for j, x := range sum {
			total[j] += x / float64(n)
		}
	}
	l.value = total[width+1]
	l.gradient = append(l.gradient[:0], total[:width+1]...)
	for j := range raw {
		l.gradient[j] = 0
		if d := l.scaling.deviation[j]; d > 0 {
			l.gradient[j] = (total[j] - total[width]*l.scaling.mean[j]) / d
		}
		l.value += l.penalty / 2 * at[j] * at[j]
		l.gradient[j] += l.penalty * at[j]
	}
	l.last = append(l.last[:0], at...)
}

// addLoss adds the gradient and the loss of row i to sum.
func (t *table) addLoss(i int, raw []float64, bias float64, sum []float64) {
	x, z := t.row(i), bias
	for j, w := range raw {
		z += w * float64(x[j])
	}
	rest := sigmoid(z)
	if t.positive[i] {
		rest--
		sum[len(raw)+1] += softplus(-z)
	} else {
		sum[len(raw)+1] += softplus(z)
	}
	for j := range raw {
		sum[j] += rest * float64(x[j])
	}
	sum[len(raw)] += rest
}
