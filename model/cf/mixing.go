package cf

import (
	"context"
	"math"
	"slices"

	"github.com/attune-shop/attune/model/cf/eval"
	"github.com/attune-shop/attune/model/cf/sequence"
	"github.com/attune-shop/attune/model/parallel"
)

// Part is one of the algorithms that a blend is made of, as it was fitted.
type Part struct {
	Algorithm string
	Settings  Settings
}

// folds is how many ways held-out lists are parted: a blend's weights are measured on lists
// that they were not fitted on.
const folds = 2

// tryBlend makes a blend on the past of what was tried: the better one of the linear models, item
// neighbours and ALS, and where times are known a sequence. It is measured by cross-fitting, and
// its weights are those of all cases.
func (h *chooser) tryBlend(ctx context.Context, trials []*trial, o Options, progress Progress) (*trial, error) {
	done := progress.saying("trying " + Blend)
	started := o.Now()
	s, parts, err := h.assemble(ctx, trials, o, parallel.Share(done, 0, .3))
	if err != nil {
		return nil, err
	}
	first, err := h.chooseFade(ctx, s, o)
	if err != nil {
		return nil, err
	}
	s.blend.mix(first)
	lessons, err := h.lessons(ctx, s, len(h.Cases), o, parallel.Share(done, .4, .6))
	if err != nil {
		return nil, err
	}
	t := &trial{plan: Plan{Algorithm: Blend, Settings: s.settings, Parts: parts, sequenced: s.blend.sequence != nil}, snapshot: s}
	var measured []*eval.Measurement
	for fold := range folds + 1 { // the last one keeps nothing back
		var chosen []lesson
		for k := range lessons {
			if k%folds != fold && len(lessons[k].relevant) > 0 {
				chosen = append(chosen, lessons[k])
			}
		}
		if s.blend.weights, err = softmax(ctx, chosen, s.blend.features(), o.Workers); err != nil {
			return nil, err
		}
		if done != nil {
			done(.6 + .39*float64(fold+1)/(folds+1))
		}
		if fold == folds {
			break
		}
		var cases []eval.Case
		for k := range h.Cases {
			if k%folds == fold {
				cases = append(cases, h.Cases[k])
			}
		}
		m, err := eval.Measure(ctx, s, cases, o.Protocol, o.Workers, nil)
		if err != nil {
			return nil, err
		}
		measured = append(measured, m)
	}
	t.measured = eval.Interleave(measured, o.Protocol.K)
	t.plan.weights, t.plan.shares = s.blend.weights, s.blend.shares
	t.took = o.Now().Sub(started)
	if done != nil {
		done(1)
	}
	return t, nil
}

// assemble puts what was fitted on the past together, with a sequence where times are known. The
// blend's weights are still missing.
func (h *chooser) assemble(ctx context.Context, trials []*trial, o Options, done func(float64)) (*Snapshot, []Part, error) {
	s := &Snapshot{algorithm: Blend, itemIDs: h.Past.ItemIDs(), popular: h.Past.Popularity(), blend: &blend{}}
	var parts []Part
	var linear *trial
	for _, t := range trials {
		switch t.plan.Algorithm {
		case EASE, Spectral:
			if linear == nil || t.worth(o.Protocol) > linear.worth(o.Protocol) {
				linear = t
			}
		case ItemKNN:
			s.similar = t.snapshot.similar
			parts = append(parts, Part{Algorithm: ItemKNN, Settings: t.plan.Settings})
		case ALS:
			s.factors, s.penalty = t.snapshot.factors, t.snapshot.penalty
			parts = append(parts, Part{Algorithm: ALS, Settings: t.plan.Settings})
		}
	}
	if linear != nil {
		s.linear = linear.snapshot.linear
		parts = append(parts, Part{Algorithm: linear.plan.Algorithm, Settings: linear.plan.Settings})
	}
	for _, p := range parts {
		s.blend.base = append(s.blend.base, p.Algorithm)
	}
	if h.Past.Dated() {
		var err error
		if s.blend.sequence, err = sequence.Fit(ctx, h.Past, o.Workers, done); err != nil {
			return nil, nil, err
		}
	}
	s.blend.shares = evenShares[float32](s.blend.parts())
	return s.derive(), parts, nil
}

// evenShares returns n equal shares.
func evenShares[T float32 | float64](n int) []T {
	shares := make([]T, n)
	for k := range shares {
		shares[k] = 1 / T(n)
	}
	return shares
}

const (
	// sharesFrom is how many lists the shares of parts are learned from, and sharesSteps how often
	// they are improved.
	sharesFrom  = 4000
	sharesSteps = 50
)

// mix sets shares so that the mixture gives what was chosen the greatest chance, by expectation
// maximization (Dempster, Laird & Rubin 1977):
//
//	share_k = mean over what was chosen of share_k p_k / sum_j share_j p_j
//
// with p_k the chance that part k gave it.
func (b *blend) mix(lessons []lesson) {
	n, width := b.parts(), b.features()
	var chosen [][]float64
	for _, l := range lessons {
		for _, place := range l.relevant {
			chances := make([]float64, n)
			for k := range chances {
				chances[k] = math.Exp(float64(l.features[int(place)*width+1+k]))
			}
			chosen = append(chosen, chances)
		}
	}
	if len(chosen) == 0 {
		return
	}
	shares := evenShares[float64](n)
	for range sharesSteps {
		next := make([]float64, n)
		for _, chances := range chosen {
			var total float64
			for k, p := range chances {
				total += shares[k] * p
			}
			for k, p := range chances {
				next[k] += shares[k] * p / total / float64(len(chosen))
			}
		}
		shares = next
	}
	for k, x := range shares {
		b.shares[k] = float32(x)
	}
}

// chooseFade sets the fading with which the mixture of all parts gives what was chosen the greatest
// chance, and returns the lessons of that.
func (h *chooser) chooseFade(ctx context.Context, s *Snapshot, o Options) (best []lesson, err error) {
	tried := []float32{0}
	if s.blend.sequence != nil { // times are known
		tried = append(tried, fades...)
	}
	most, width := math.Inf(-1), s.blend.features()
	for _, fade := range tried {
		lessons, err := h.lessons(ctx, s.withFade(fade), sharesFrom, o, nil)
		if err != nil {
			return nil, err
		}
		var sum float64
		for _, l := range lessons {
			if len(l.relevant) == 0 {
				sum += math.Log(leastChance)
			}
			for _, place := range l.relevant {
				sum += float64(l.features[int(place)*width]) / float64(len(l.relevant))
			}
		}
		if sum > most {
			most, best, s.settings.Fade = sum, lessons, fade
		}
	}
	return best, nil
}

// lessonBatch is how many lessons are made between two looks at the context.
const lessonBatch = 64

// lessons makes one of each of the first n cases; those of which no candidate is relevant stay in.
func (h *chooser) lessons(ctx context.Context, s *Snapshot, n int, o Options, done func(float64)) ([]lesson, error) {
	cases := h.Cases[:min(n, len(h.Cases))]
	lessons := make([]lesson, len(cases))
	scratches := make([]Scratch, max(o.Workers, 1))
	err := parallel.Each(ctx, len(cases), o.Workers, lessonBatch, done, func(worker, from, to int) error {
		sc := &scratches[worker]
		for k := from; k < to; k++ {
			c := &cases[k]
			sc.taste.Read(c.History, len(s.itemIDs), s.settings.Fade)
			lessons[k].situation = s.situationOf(&sc.taste)
			m := s.collect(sc, nil, c.Closed(o.Protocol))
			lessons[k].features = slices.Clone(m.features)
			for place, candidate := range m.candidates {
				if _, hit := slices.BinarySearch(c.Relevant, candidate.Item); hit {
					lessons[k].relevant = append(lessons[k].relevant, int32(place))
				}
			}
		}
		return nil
	})
	return lessons, err
}
