package cf

import (
	"context"
	"fmt"
	"runtime"
	"time"

	"github.com/attune-shop/attune/model/cf/eval"
	"github.com/attune-shop/attune/model/cf/feedback"
	"github.com/attune-shop/attune/model/cf/linear"
	"github.com/attune-shop/attune/model/cf/sequence"
	"github.com/attune-shop/attune/model/cf/spectral"
	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/model/parallel"
)

// Options of a training. The zero Options are the defaults.
type Options struct {
	// Algorithm is Auto (also where empty), EASE, Spectral, ALS, ItemKNN, Popularity or
	// Blend.
	Algorithm string
	// Seed starts what is random: the factors of ALS, the eigenvectors of Spectral, and the sample
	// of users, or clicks, that is evaluated.
	Seed int64
	// RowItems is how many items a row of EASE or Spectral keeps for serving, the strongest ones; where
	// 0, as many as is best for each (linear.EASE.Width, spectral.Fit).
	RowItems int
	// Neighbours is how many similar and how many bought-together items an item keeps; 100 where 0.
	Neighbours int
	// EASEMaxItems is the number of items above which EASE is not tried; 15,000 where 0.
	// It takes 4 bytes x items^2, and items^3 / 2 multiplications.
	EASEMaxItems int
	// Settings are what to fit with; where nil, the best of some on held-out interactions.
	Settings *Settings
	// Protocol is what the lists are for: algorithms and settings are compared by it. Where its K
	// is 0, lists of 10 of what users who were there before choose anew after some time.
	Protocol eval.Protocol
	// Factors is the rank of ALS; 64 where 0.
	Factors int
	// Iterations is how many times ALS solves for users and items; 12 where 0.
	Iterations int
	// EvaluatedUsers is how many users are evaluated at most, and EvaluatedClicks how many clicks
	// where each has its list; 4,000 and 45,000 where 0.
	EvaluatedUsers, EvaluatedClicks int
	// Budget is how long the choice may take by the estimate of cost.go, which leaves out what
	// is too much; 10 minutes where 0. It is no time by the clock: the same data give the same
	// choice on any machine.
	Budget time.Duration
	// Workers is the number of goroutines; GOMAXPROCS where 0. It does not change the result.
	Workers int
	// Now is the clock that Evaluation.Fit is measured with; where nil, Fit stays 0.
	Now func() time.Time
	// Evaluated is told of each evaluation as soon as it is known; it may be nil.
	Evaluated func(Evaluation)
}

// sample is what is evaluated.
func (o Options) sample() eval.Sample {
	return eval.Sample{Users: o.EvaluatedUsers, Clicks: o.EvaluatedClicks, Seed: o.Seed}
}

func (o Options) filled() Options {
	fill := func(p *int, value int) {
		if *p <= 0 {
			*p = value
		}
	}
	if o.Algorithm == "" {
		o.Algorithm = Auto
	}
	fill(&o.Neighbours, 100)
	fill(&o.EASEMaxItems, 15000)
	fill(&o.Factors, 64)
	o.Factors = min(o.Factors, maxRank)
	fill(&o.Iterations, 12)
	fill(&o.EvaluatedUsers, 4000)
	fill(&o.EvaluatedClicks, 45_000)
	fill(&o.Protocol.K, 10)
	fill(&o.Workers, runtime.GOMAXPROCS(0))
	if o.Budget <= 0 {
		o.Budget = 10 * time.Minute
	}
	if o.Now == nil {
		o.Now = func() time.Time { return time.Time{} }
	}
	return o
}

// Progress is told the share that is done, 0 to 1, and what is being done. It is never
// called by two goroutines at once. It may be nil.
type Progress func(done float64, message string)

// saying returns the progress of work that has one message.
func (p Progress) saying(message string) func(share float64) {
	if p == nil {
		return nil
	}
	return func(share float64) { p(share, message) }
}

// Validate tells whether the options name an algorithm: an event.InvalidError where not.
func (o Options) Validate() error {
	switch o.Algorithm {
	case "", Auto, EASE, Spectral, ALS, ItemKNN, Popularity, Blend:
		return nil
	}
	return event.Invalid("algorithm", "must be %q, %q, %q, %q, %q, %q or %q", Auto, EASE, Spectral, ALS, ItemKNN, Popularity, Blend)
}

// scaled maps the progress of a part, messages and all, to [from, to) of the whole.
func scaled(p Progress, from, to float64) Progress {
	if p == nil {
		return nil
	}
	return func(done float64, message string) { p(from+(to-from)*done, message) }
}

// Fit trains the plan's algorithm on everything.
func Fit(ctx context.Context, d *feedback.Dataset, plan Plan, o Options, progress Progress) (*Snapshot, error) {
	o = o.filled()
	s := &Snapshot{algorithm: plan.Algorithm, settings: plan.Settings, itemIDs: d.ItemIDs(), popular: d.Popularity()}
	var err error
	if s.similar, err = linear.Neighbours(ctx, d, o.Neighbours, o.Workers, parallel.Share(progress.saying("similar items"), 0, .2)); err != nil {
		return nil, err
	}
	if s.together, err = linear.Together(ctx, d, o.Neighbours, o.Workers, parallel.Share(progress.saying("items bought together"), .2, .3)); err != nil {
		return nil, err
	}
	if err := s.fit(ctx, d, plan, o, parallel.Share(progress.saying(plan.Algorithm), .3, 1)); err != nil {
		return nil, err
	}
	if progress != nil {
		progress(1, plan.Algorithm)
	}
	return s.derive(), ctx.Err()
}

// fit adds the algorithm's own part; similar is there already.
func (s *Snapshot) fit(ctx context.Context, d *feedback.Dataset, plan Plan, o Options, done func(float64)) (err error) {
	switch plan.Algorithm {
	case EASE:
		if n := len(d.Active()); n > o.EASEMaxItems {
			return fmt.Errorf("ease: %d items, at most %d: %w", n, o.EASEMaxItems, event.ErrExhausted)
		}
		s.linear, err = plan.Settings.ease(o.RowItems).Fit(ctx, d, o.Workers, done)
	case Spectral:
		s.linear, err = spectral.Fit(ctx, d, plan.Settings.Filter, o.RowItems, o.Seed, o.Workers, done)
	case ALS:
		err = als(ctx, d, s, plan.Settings.Lambda, o, done)
	case Blend:
		err = s.fitBlend(ctx, d, plan, o, done)
	case ItemKNN, Popularity:
	default:
		return fmt.Errorf("algorithm %q: %w", plan.Algorithm, event.ErrNotFound)
	}
	return err
}

// fitBlend fits a blend's parts on everything; shares and weights stay those of the plan.
// event.ErrCorrupt where the weights are not as many as the features.
func (s *Snapshot) fitBlend(ctx context.Context, d *feedback.Dataset, plan Plan, o Options, done func(float64)) (err error) {
	s.blend = &blend{shares: plan.shares, weights: plan.weights}
	steps := float64(len(plan.Parts) + 1)
	for k, part := range plan.Parts {
		s.blend.base = append(s.blend.base, part.Algorithm)
		if err := s.fit(ctx, d, Plan{Algorithm: part.Algorithm, Settings: part.Settings}, o, parallel.Share(done, float64(k)/steps, float64(k+1)/steps)); err != nil {
			return err
		}
	}
	if plan.sequenced {
		s.blend.sequence, err = sequence.Fit(ctx, d, o.Workers, parallel.Share(done, 1-1/steps, 1))
	}
	if err == nil && len(s.blend.weights[0]) != s.blend.features() {
		err = fmt.Errorf("a blend of %d features has %d weights: %w", s.blend.features(), len(s.blend.weights[0]), event.ErrCorrupt)
	}
	return err
}
