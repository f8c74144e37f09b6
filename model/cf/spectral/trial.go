package spectral

import (
	"context"
	"slices"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas32"

	"github.com/attune-shop/attune/model/cf/eval"
	"github.com/attune-shop/attune/model/cf/feedback"
	"github.com/attune-shop/attune/model/cf/sparse"
	"github.com/attune-shop/attune/model/dense"
	"github.com/attune-shop/attune/model/parallel"
)

// filterTrial measures settings of a graph filter on cases, exactly: no rows are made, that would
// leave entries out.
type filterTrial struct {
	*spectrum
	popular  []sparse.Candidate
	cases    []eval.Case
	protocol eval.Protocol
	workers  int
}

func (s *spectrum) newTrial(d *feedback.Dataset, cases []eval.Case, p eval.Protocol, workers int) *filterTrial {
	t := &filterTrial{spectrum: s, cases: cases, protocol: p, workers: max(workers, 1)}
	for i, x := range d.Popularity() {
		t.popular = append(t.popular, sparse.Candidate{Item: int32(i), Score: x})
	}
	sparse.ByScore(t.popular)
	return t
}

// source is one of the two parts of a filter, before it is sharpened, between D^-exponent and
// D^exponent: the low-pass, without its weight, of some factors, or where those are 0 the step
// on the graph.
type source struct {
	factors  int
	exponent float64
}

// sharp is a source, sharpened.
type sharp struct {
	source
	sharpening float64
}

func (set Filter) step() sharp {
	return sharp{source{exponent: set.Exponent}, set.Sharpening}
}

func (set Filter) smooth() sharp {
	return sharp{source{factors: set.Factors, exponent: .5}, set.Sharpening}
}

// measure measures each of the settings as Measure does, all of them on one block of cases
// after the other, so that what they share is computed once. With c different exponents and
// numbers of factors k: c (8 pairs + items k) multiplications and, for each setting, a list
// for each case. 4 filterBlock (2 users + items (parts + 4)) bytes a worker, with as many
// parts as there are different sources, sharpened or not, among the settings.
func (t *filterTrial) measure(ctx context.Context, settings []Filter, done func(float64)) ([]*eval.Measurement, error) {
	if err := t.protocol.Validate(); err != nil {
		return nil, err
	}
	benches := make([]*eval.Bench, len(settings))
	for i := range benches {
		benches[i] = eval.NewBench(t.cases, t.protocol, t.workers)
	}
	workers := make([]*trier, t.workers)
	err := parallel.Each(ctx, len(t.cases), t.workers, filterBlock, done, func(worker, from, to int) error {
		if workers[worker] == nil {
			workers[worker] = t.newTrier(settings)
		}
		w := workers[worker]
		if err := w.compute(ctx, t.cases[from:to]); err != nil {
			return err
		}
		for i, set := range settings {
			w.blend(set, to-from)
			for c := range t.cases[from:to] {
				w.answer = line(w.lines, c)
				benches[i].Ask(worker, from+c, w)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	results := make([]*eval.Measurement, len(settings))
	for i, b := range benches {
		results[i] = b.Measured(len(t.popular))
	}
	return results, nil
}

// trier is a worker of a trial.
type trier struct {
	*filterTrial
	blocks
	// sources has the sharpenings that are wanted of each, order says which comes first.
	sources map[source][]float64
	order   []source
	// powers are those that the sources need.
	powers map[float64][]float32
	// parts are what the filter's parts answer to a block of cases, items x cases.
	parts map[sharp]blas32.General
	// lines are a setting's answers, cases x items; answer is the line to be ranked, and scored is
	// what is not 0 in it: a trier is a Ranker.
	lines  blas32.General
	answer []float32
	scored []sparse.Candidate
	taste  feedback.Taste
}

func (t *filterTrial) newTrier(settings []Filter) *trier {
	w := &trier{filterTrial: t, blocks: *t.newBlocks(1)[0], sources: map[source][]float64{}, parts: map[sharp]blas32.General{}, powers: map[float64][]float32{}}
	w.lines = dense.Zeros(filterBlock, t.items.Len())
	for _, set := range settings {
		for _, part := range []sharp{set.step(), set.smooth()} {
			if _, known := w.parts[part]; known {
				continue
			}
			w.parts[part] = dense.Zeros(t.items.Len(), filterBlock)
			if w.sources[part.source] == nil {
				w.order = append(w.order, part.source)
				w.powers[part.exponent], w.powers[-part.exponent] = w.filterTrial.powers(part.exponent), w.filterTrial.powers(-part.exponent)
			}
			w.sources[part.source] = append(w.sources[part.source], part.sharpening)
		}
	}
	return w
}

// compute sets parts to the answers to cases.
func (w *trier) compute(ctx context.Context, cases []eval.Case) error {
	w.resize(len(cases))
	for _, from := range w.order {
		if err := w.begin(ctx, from, cases); err != nil {
			return err
		}
		times := w.sources[from]
		for _, t := range times {
			clear(w.parts[sharp{from, t}].Data)
		}
		for j := range sharpeningSteps + 1 {
			for _, t := range times {
				if c := taylor(t)[j]; c != 0 {
					dense.Axpy(c, w.y.Data, w.parts[sharp{from, t}].Data)
				}
			}
			if j == sharpeningSteps || slices.Max(times) == 0 {
				break
			}
			if err := w.apply(ctx, &w.blocks); err != nil {
				return err
			}
		}
	}
	return nil
}

// begin sets y to what a source answers to cases.
func (w *trier) begin(ctx context.Context, from source, cases []eval.Case) error {
	clear(w.y.Data)
	down, up := w.powers[-from.exponent], w.powers[from.exponent]
	if from.factors == 0 {
		for c := range cases {
			w.eachValue(cases[c].History, func(i int32, x float32) {
				w.y.Data[int(i)*w.y.Stride+c] += x * down[i]
			})
		}
		if err := multiply(ctx, &w.users, w.y, w.between); err != nil {
			return err
		}
		if err := multiply(ctx, &w.items, w.between, w.y); err != nil {
			return err
		}
	} else if w.vectors.Cols > 0 {
		v := columnsOf(w.vectors, 0, min(from.factors, w.vectors.Cols))
		coordinates := dense.Zeros(len(cases), v.Cols)
		for c := range cases {
			into := coordinates.Data[c*coordinates.Stride:][:v.Cols]
			w.eachValue(cases[c].History, func(i int32, x float32) {
				dense.Axpy(x*down[i], line(v, int(i)), into)
			})
		}
		if err := dense.Gemm(ctx, blas.NoTrans, blas.Trans, 1, v, coordinates, w.y, 1, nil); err != nil {
			return err
		}
	}
	scaleRows(w.y, up)
	return nil
}

// eachValue calls fn for what a Snapshot makes of a history.
func (w *trier) eachValue(history []feedback.Signal, fn func(item int32, x float32)) {
	w.taste.Read(history, w.items.Len(), 0)
	for k, item := range w.taste.Items {
		fn(item, w.taste.Values[k])
	}
}

// blend sets lines to a setting's answers.
func (w *trier) blend(set Filter, cases int) {
	step, smooth, weight := w.parts[set.step()].Data, w.parts[set.smooth()].Data, float32(set.LowPass)
	for i := range w.lines.Cols {
		at := i * cases
		for c := range cases {
			w.lines.Data[c*w.lines.Stride+i] = step[at+c] + weight*smooth[at+c]
		}
	}
}

// Items is the number of items.
func (w *trier) Items() int { return len(w.popular) }

// Popular has all items, best first.
func (w *trier) Popular() []sparse.Candidate { return w.popular }

// Scorer returns the trier.
func (w *trier) Scorer() eval.Scorer { return w }

// Score returns the answer, whatever the history.
func (w *trier) Score([]feedback.Signal) []sparse.Candidate {
	w.scored = w.scored[:0]
	for i, x := range w.answer {
		if x > 0 {
			w.scored = append(w.scored, sparse.Candidate{Item: int32(i), Score: x})
		}
	}
	return w.scored
}

// ScoreItems is Score.
func (w *trier) ScoreItems(history []feedback.Signal, _ []int32) []sparse.Candidate {
	return w.Score(history)
}
