package cf

import (
	"context"
	"time"

	"github.com/attune-shop/attune/model/cf/eval"
	"github.com/attune-shop/attune/model/cf/feedback"
	"github.com/attune-shop/attune/model/cf/linear"
	"github.com/attune-shop/attune/model/cf/spectral"
	"github.com/attune-shop/attune/model/parallel"
)

// Evaluation is what one algorithm reached on held-out interactions.
type Evaluation struct {
	Algorithm string
	// Settings are the best of those that were tried.
	Settings Settings
	// Metrics by name, as Measure has them, means over the users.
	Metrics map[string]float64
	// Errors are the standard errors of Metrics, but of Coverage, which is no mean.
	Errors map[string]float64
	// Users is how many users had something held out; where clicks are foretold (CutNext), how many
	// clicks.
	Users int
	// Fit is how long the fit took, by the clock of the Options.
	Fit time.Duration
}

// popularMargin is how many times better popularity must be to be chosen: it says the same
// to everybody, and leads by chance where few users came back.
const popularMargin = 1.25

// Plan is what to fit, and why.
type Plan struct {
	Algorithm string
	Settings  Settings
	// Parts are what a blend is made of, shares what it mixes them by and weights what it ranks by
	// (see blend).
	Parts   []Part
	shares  []float32
	weights [situationSize][]float32
	// sequenced says that a sequence is among them: where times were known of what the weights
	// were fitted on. Of all the data it may be otherwise.
	sequenced bool
	// Evaluations holds one for each algorithm that was tried; none where too few users
	// came back to hold anything out.
	Evaluations []Evaluation
	// Metric names what they are compared by, as in "ndcg@10"; "" where there are none.
	Metric string
	// Choice is a sentence that says why this algorithm.
	Choice string
}

// chooser fits on what is not held out, and measures on what is.
type chooser struct{ *eval.Holdout }

// trial is a fit on the past, and what it reached.
type trial struct {
	plan     Plan
	snapshot *Snapshot
	measured *eval.Measurement
	took     time.Duration
}

// worth is what trials are compared by: the protocol's metric, divided by popularMargin for
// popularity.
func (t *trial) worth(p eval.Protocol) float64 {
	reached := t.measured.Metrics[p.Metric().At(p.K)]
	if t.plan.Algorithm == Popularity {
		return reached / popularMargin
	}
	return reached
}

func (t *trial) evaluation(p eval.Protocol) Evaluation {
	return Evaluation{
		Algorithm: t.plan.Algorithm, Settings: t.plan.Settings, Metrics: t.measured.Metrics,
		Errors: t.measured.Errors(p.K), Users: t.measured.Cases(), Fit: t.took,
	}
}

// Evaluate chooses what to fit: the best by the protocol's metric, popularity only where it
// leads by popularMargin. It holds some interactions out as the protocol says (Cut), fits what
// the options ask for on the others, and asks for what is held out. No fit knows anything of
// it. The errors are those of Options.Validate, of the fits and of the context.
func Evaluate(ctx context.Context, d *feedback.Dataset, o Options, progress Progress) (Plan, error) {
	if err := o.Validate(); err != nil {
		return Plan{}, err
	}
	o = o.filled()
	if len(d.Entries()) == 0 {
		return Plan{Algorithm: Popularity, Choice: "There are no interactions to learn from, so items are known by popularity only."}, ctx.Err()
	}
	held := eval.Hold(d, o.Protocol, o.sample())
	if held == nil {
		return o.unevaluated(d), ctx.Err()
	}
	h := &chooser{held}
	scopes := o.scopes(d, h)
	trials, err := h.tryAll(ctx, scopes, o, progress)
	if err != nil {
		return Plan{}, err
	}
	plan := o.best(trials).plan
	for _, t := range trials {
		plan.Evaluations = append(plan.Evaluations, t.evaluation(o.Protocol))
	}
	plan.Metric = o.Protocol.Metric().At(o.Protocol.K)
	plan.Choice = o.choice(d, h, plan, scopes)
	return plan, nil
}

// tryAll evaluates what is in scope. Progress goes by what each costs.
func (h *chooser) tryAll(ctx context.Context, scopes []scope, o Options, progress Progress) ([]*trial, error) {
	var total, done float64
	for _, s := range scopes {
		total += s.cost().Seconds()
	}
	var trials []*trial
	for _, s := range scopes {
		if s.settings == 0 {
			continue
		}
		from := done / total
		done += s.cost().Seconds()
		part := scaled(progress, from, done/total)
		var t *trial
		var err error
		if s.algorithm == Blend {
			t, err = h.tryBlend(ctx, trials, o, part)
		} else {
			t, err = h.tryAlgorithm(ctx, s, o, part)
		}
		if err != nil {
			return nil, err
		}
		trials = append(trials, t)
		if o.Evaluated != nil {
			o.Evaluated(t.evaluation(o.Protocol))
		}
	}
	return trials, nil
}

// best returns the trial to go by: the first of equals, and a graph filter only where it is better
// than the best before it by more than a standard error, for it has been chosen from many, and so
// looks better than it is. A blend does not: it is measured on lists that it was not fitted on.
func (o Options) best(trials []*trial) *trial {
	if o.Algorithm == Blend {
		return trials[len(trials)-1]
	}
	var best *trial
	for _, t := range trials {
		switch {
		case best == nil:
			best = t
		case best.plan.Algorithm != Popularity && t.plan.Algorithm == Spectral:
			gain, doubt := eval.Difference(t.measured.Values(o.Protocol.Metric()), best.measured.Values(o.Protocol.Metric()))
			if gain > doubt {
				best = t
			}
		case t.worth(o.Protocol) > best.worth(o.Protocol):
			best = t
		}
	}
	return best
}

// tries are the algorithms to evaluate for all the data, of which what is chosen is to be fitted;
// where two are equal the first is chosen.
func (o Options) tries(d *feedback.Dataset) []string {
	switch o.Algorithm {
	case Auto, Blend:
	default:
		return []string{o.Algorithm}
	}
	tries := []string{ItemKNN}
	if len(d.Active()) <= o.EASEMaxItems {
		tries = append(tries, EASE)
	}
	if o.Protocol.Cut != eval.CutNext { // a filter of tastes, which takes long over many short visits
		tries = append(tries, Spectral)
	}
	return append(tries, ALS, Popularity, Blend)
}

// tryAlgorithm fits one algorithm on the past with one setting after the other, as many as are in scope,
// and returns the best.
func (h *chooser) tryAlgorithm(ctx context.Context, s scope, o Options, progress Progress) (*trial, error) {
	algorithm, tried := s.algorithm, 0
	next := func() Progress {
		tried++
		return scaled(progress, float64(tried-1)/float64(s.settings), float64(tried)/float64(s.settings))
	}
	settings, steps := search(algorithm, h.Past, o)
	if algorithm == Spectral && o.Settings == nil {
		var err error
		cases := h.Cases[:min(len(h.Cases), o.EvaluatedUsers)]
		done := scaled(progress, 0, .7).saying("trying " + Spectral)
		if settings.Filter, _, err = spectral.Choose(ctx, h.Past, cases, o.Protocol, o.Seed, o.Workers, done); err != nil {
			return nil, err
		}
		progress = scaled(progress, .7, 1)
	}
	best, err := h.trySettings(ctx, Plan{Algorithm: algorithm, Settings: settings}, o, next())
	if err != nil {
		return nil, err
	}
	for _, step := range steps {
		for _, settings := range step(best.plan.Settings) {
			if tried == s.settings {
				break
			}
			t, err := h.trySettings(ctx, Plan{Algorithm: algorithm, Settings: settings}, o, next())
			if err != nil {
				return nil, err
			}
			if t.worth(o.Protocol) > best.worth(o.Protocol) {
				best = t
			}
		}
	}
	if o.Settings != nil || algorithm == Popularity || !h.Past.Dated() {
		return best, nil
	}
	return h.tryFades(ctx, best, o)
}

// tryFades tries whether newer signals should count for more: the same fit is measured with each of
// fades.
func (h *chooser) tryFades(ctx context.Context, best *trial, o Options) (*trial, error) {
	fitted := *best
	for _, fade := range fades {
		t := fitted
		t.snapshot = fitted.snapshot.withFade(fade)
		t.plan.Settings.Fade = fade
		var err error
		if t.measured, err = eval.Measure(ctx, t.snapshot, h.Cases, o.Protocol, o.Workers, nil); err != nil {
			return nil, err
		}
		if t.worth(o.Protocol) > best.worth(o.Protocol) {
			best = &t
		}
	}
	return best, nil
}

// trySettings fits a plan on the past and measures it on the cases.
func (h *chooser) trySettings(ctx context.Context, plan Plan, o Options, progress Progress) (*trial, error) {
	t := &trial{plan: plan}
	done := progress.saying("trying " + plan.Algorithm)
	started := o.Now()
	var err error
	if t.snapshot, err = h.fitPast(ctx, plan, o, parallel.Share(done, 0, .9)); err != nil {
		return nil, err
	}
	t.took = o.Now().Sub(started)
	t.measured, err = eval.Measure(ctx, t.snapshot, h.Cases, o.Protocol, o.Workers, parallel.Share(done, .9, 1))
	return t, err
}

// fitPast is Fit on the past of what scoring needs alone: no items bought together, and similar items
// only where the algorithm looks at them.
func (h *chooser) fitPast(ctx context.Context, plan Plan, o Options, done func(float64)) (_ *Snapshot, err error) {
	s := &Snapshot{algorithm: plan.Algorithm, settings: plan.Settings, itemIDs: h.Past.ItemIDs(), popular: h.Past.Popularity()}
	if plan.Algorithm == ItemKNN || plan.Algorithm == ALS && len(s.itemIDs) > FullScanItems {
		if s.similar, err = linear.Neighbours(ctx, h.Past, o.Neighbours, o.Workers, parallel.Share(done, 0, .3)); err != nil {
			return nil, err
		}
	}
	if err := s.fit(ctx, h.Past, plan, o, parallel.Share(done, .3, 1)); err != nil {
		return nil, err
	}
	return s.derive(), nil
}
