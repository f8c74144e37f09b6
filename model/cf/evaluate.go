package cf

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// evaluatedItems is the length of the lists that are evaluated.
const evaluatedItems = 10

// MetricNDCG is what algorithms are compared by.
const MetricNDCG = "ndcg@10"

// Evaluation is what one algorithm reached on held-out interactions.
type Evaluation struct {
	Algorithm string
	// Metrics by name, as Measure has them, means over the users.
	Metrics map[string]float64
	// Users that had something held out.
	Users int
	// Fit is how long the fit took, by the clock of the Options.
	Fit time.Duration
}

// popularMargin is how many times better popularity must be to be chosen: it says the same
// to everybody, and leads by chance where few users came back.
const popularMargin = 1.25

// worth is what algorithms are compared by.
func (e Evaluation) worth() float64 {
	if e.Algorithm == Popularity {
		return e.Metrics[MetricNDCG] / popularMargin
	}
	return e.Metrics[MetricNDCG]
}

// Plan is what to fit, and why.
type Plan struct {
	Algorithm string
	// Lambda is the regularization: EASE adds it to the diagonal of the Gram matrix, ALS to
	// that of the system of a user without interactions.
	Lambda float64
	// Evaluations holds one for each algorithm that was tried; none where too few users
	// came back to hold anything out.
	Evaluations []Evaluation
	// Choice is a sentence that says why this algorithm.
	Choice string
}

// manyItems is the number of items above which fewer regularizations of EASE are tried, as
// each costs a fit.
const manyItems = 2500

// lambdas are the regularizations to try, the first being the one to take unseen.
func (o Options) lambdas(algorithm string, items int) []float64 {
	switch {
	case o.Lambda > 0:
		return []float64{o.Lambda}
	case algorithm == EASE && items > manyItems:
		return []float64{300, 60}
	case algorithm == EASE:
		return []float64{300, 30, 100, 1000}
	case algorithm == ALS:
		return []float64{4, 1}
	}
	return []float64{0}
}

// Evaluate chooses what to fit: the best by ndcg@10, popularity only where it leads by
// popularMargin. It holds the interactions after a time out, the same for
// all users, fits what the options ask for on those before, and asks for the items that
// users who were there before chose anew. Nothing after the time is known to any fit.
// The errors are those of Train.
func Evaluate(ctx context.Context, d *Dataset, o Options, progress Progress) (Plan, error) {
	if err := o.Validate(); err != nil {
		return Plan{}, err
	}
	o = o.filled()
	tries := o.tries(d)
	if len(d.log) == 0 {
		return Plan{Algorithm: Popularity, Choice: "There are no interactions to learn from, so items are known by popularity only."}, ctx.Err()
	}
	h := hold(d, o)
	if h == nil {
		return o.unevaluated(d), ctx.Err()
	}
	var best Plan
	var evaluations []Evaluation
	for k, algorithm := range tries {
		from, to := float64(k)/float64(len(tries)), float64(k+1)/float64(len(tries))
		plan, err := h.try(ctx, algorithm, o, scaled(progress, from, to))
		if err != nil {
			return Plan{}, err
		}
		evaluation := plan.Evaluations[0]
		evaluations = append(evaluations, evaluation)
		if o.Evaluated != nil {
			o.Evaluated(evaluation)
		}
		if k == 0 || evaluation.worth() > best.Evaluations[0].worth() {
			best = plan
		}
	}
	best.Evaluations = evaluations
	best.Choice = o.choice(d, best.Algorithm, evaluations)
	return best, nil
}

// tries are the algorithms to evaluate; where two are equal the first is chosen.
func (o Options) tries(d *Dataset) []string {
	if o.Algorithm != Auto {
		return []string{o.Algorithm}
	}
	if len(activeItems(d)) > o.EASEMaxItems {
		return []string{ItemKNN, ALS, Popularity}
	}
	return []string{ItemKNN, EASE, ALS, Popularity}
}

func (o Options) unevaluated(d *Dataset) Plan {
	plan := Plan{
		Algorithm: o.Algorithm,
		Lambda:    o.lambdas(o.Algorithm, d.Items())[0],
		Choice:    fmt.Sprintf("%q was asked for; too few users came back to hold anything out.", o.Algorithm),
	}
	if o.Algorithm == Auto {
		plan.Algorithm = ItemKNN
		if d.Pairs() == d.Users() {
			plan.Algorithm = Popularity
		}
		plan.Choice = fmt.Sprintf("Too few users came back to hold anything out; %q needs the least history.", plan.Algorithm)
	}
	return plan
}

func (o Options) choice(d *Dataset, algorithm string, evaluations []Evaluation) string {
	var text strings.Builder
	if o.Algorithm != Auto {
		fmt.Fprintf(&text, "%q was asked for; it reached %s %.4f on what %d users chose last.",
			algorithm, MetricNDCG, evaluations[0].Metrics[MetricNDCG], evaluations[0].Users)
		return text.String()
	}
	var chosen, popular float64
	var others []string
	for _, e := range evaluations {
		ndcg := e.Metrics[MetricNDCG]
		if e.Algorithm == Popularity {
			popular = ndcg
		}
		if e.Algorithm != algorithm {
			others = append(others, fmt.Sprintf("%q %.4f", e.Algorithm, ndcg))
			continue
		}
		chosen = ndcg
		fmt.Fprintf(&text, "%q was chosen for its %s, %.4f, on what %d users chose last", algorithm, MetricNDCG, ndcg, e.Users)
	}
	fmt.Fprintf(&text, " (%s)", strings.Join(others, ", "))
	if popular > chosen {
		fmt.Fprintf(&text, "; %q says the same to everybody and must be %g times better", Popularity, popularMargin)
	}
	if n := len(activeItems(d)); n > o.EASEMaxItems {
		fmt.Fprintf(&text, "; %q was not tried, for it takes at most %d items and there are %d", EASE, o.EASEMaxItems, n)
	}
	text.WriteByte('.')
	return text.String()
}

// try fits and evaluates one algorithm on the past; with the best regularization.
func (h *holdout) try(ctx context.Context, algorithm string, o Options, progress Progress) (Plan, error) {
	tried := o.lambdas(algorithm, len(activeItems(h.past)))
	var best Plan
	for k, lambda := range tried {
		message := "trying " + algorithm
		done := scaled(progress, float64(k)/float64(len(tried)), float64(k+1)/float64(len(tried))).part(0, .9, message)
		plan := Plan{Algorithm: algorithm, Lambda: lambda}
		started := o.Now()
		s, err := h.fit(ctx, plan, o, done)
		if err != nil {
			return Plan{}, err
		}
		took := o.Now().Sub(started)
		evaluation, err := h.evaluate(ctx, s, o)
		if err != nil {
			return Plan{}, err
		}
		evaluation.Fit = took
		plan.Evaluations = []Evaluation{evaluation}
		if k == 0 || evaluation.worth() > best.Evaluations[0].worth() {
			best = plan
		}
	}
	return best, nil
}

// fit trains on the past only what scoring needs.
func (h *holdout) fit(ctx context.Context, plan Plan, o Options, done func(float64)) (_ *Snapshot, err error) {
	s := &Snapshot{algorithm: plan.Algorithm, itemIDs: h.past.itemIDs, popular: popularity(h.past)}
	if plan.Algorithm == ItemKNN || plan.Algorithm == ALS && len(s.itemIDs) > FullScanItems {
		if s.similar, err = neighbours(ctx, h.past, o.Neighbours, o.Workers, share(done, 0, .3)); err != nil {
			return nil, err
		}
	}
	if err := s.fit(ctx, h.past, plan, o, share(done, .3, 1)); err != nil {
		return nil, err
	}
	return s.derive(), nil
}

// evaluate asks for a list for each held-out user, without what the user had chosen before.
func (h *holdout) evaluate(ctx context.Context, s *Snapshot, o Options) (Evaluation, error) {
	m, err := Measure(ctx, s, h.cases, Protocol{K: evaluatedItems}, o.Workers, nil)
	if err != nil {
		return Evaluation{}, err
	}
	return Evaluation{Algorithm: s.algorithm, Metrics: m.Metrics, Users: len(h.cases)}, nil
}
