package propensity

import (
	"context"
	"fmt"
	"math"
	"strings"

	"github.com/attune-shop/attune/model/parallel"
)

// penalties are what is tried, from the strongest down. The last one is that of recency alone,
// which has no weights to spare.
var penalties = [...]float64{.1, .03, .01, .003, .001, .0003, .0001}

// leastPositives is how many samples of each part must have a purchase.
var leastPositives = [...]int{fitting: 50, choosing: 20, heldOut: 20}

// Learn fits a model. The penalty is that of the least log loss on the part to choose by of what
// is fitted before it; what the Report measures on the held-out weeks was fitted with it on all
// before them, and the Model that is returned on all samples. Same samples and seed, same Model
// and Report, however many workers. An error wraps ErrTooLittle, or is ctx's. done, which may be
// nil, is told the share that is done.
//
// The chances are those of the regression as they are. To recalibrate them on the part to choose by
// (Platt 1999) was measured: it took Online Retail's log loss from .3053 to .3035, for the season
// was on the rise, and RetailRocket's from .0511 to .0513.
func Learn(ctx context.Context, s *Samples, workers int, done func(share float64)) (*Model, *Report, error) {
	s.order()
	if err := s.enough(); err != nil {
		return nil, nil, err
	}
	penalty, err := s.choose(ctx, workers, parallel.Share(done, 0, .6))
	if err != nil {
		return nil, nil, err
	}
	report, err := s.measure(ctx, penalty, workers, parallel.Share(done, .6, .8))
	if err != nil {
		return nil, nil, err
	}
	all, err := fit(ctx, tableOf(s.of(fitting, choosing, heldOut), every), penalty, nil, workers)
	if err != nil {
		return nil, nil, err
	}
	if done != nil {
		done(1)
	}
	return &Model{all}, report, nil
}

// enough returns an error where a part has too little to say anything.
func (s *Samples) enough() error {
	var missing []string
	for p, name := range [...]string{fitting: "to fit", choosing: "to choose by", heldOut: "to measure on"} {
		samples := s.of(part(p))
		n := tableOf(samples, every).positives()
		if least := leastPositives[p]; n < least {
			missing = append(missing, fmt.Sprintf("%d with a purchase %s, of %d", n, name, least))
		} else if n == len(samples) {
			missing = append(missing, "none without a purchase "+name)
		}
	}
	if missing == nil {
		return nil
	}
	return fmt.Errorf("%w: of the users that were looked at, there are %s that are needed", ErrTooLittle, strings.Join(missing, ", "))
}

// choose returns the penalty of the least log loss on what is to choose by.
func (s *Samples) choose(ctx context.Context, workers int, done func(share float64)) (best float64, err error) {
	fitted, samples := tableOf(s.of(fitting), every), s.of(choosing)
	least := math.Inf(1)
	var l *logistic
	for i, penalty := range penalties {
		if l, err = fit(ctx, fitted, penalty, l, workers); err != nil {
			return 0, err
		}
		if loss := judge(l, samples, every).logLoss(); loss < least {
			least, best = loss, penalty
		}
		if done != nil {
			done(float64(i+1) / float64(len(penalties)))
		}
	}
	return best, nil
}

// rival is a regression that is measured.
type rival struct {
	name    string
	columns columns
	penalty float64
	fitted  *logistic
}

// measure returns what a penalty reaches on the held-out weeks, beside recency alone.
func (s *Samples) measure(ctx context.Context, penalty float64, workers int, done func(share float64)) (r *Report, err error) {
	before, after := s.of(fitting, choosing), s.of(heldOut)
	weakest := penalties[len(penalties)-1]
	rivals := []rival{
		{columns: every, penalty: penalty},
		{name: LastEvent, columns: sinceEvent, penalty: weakest},
		{name: LastPurchase, columns: sincePurchase, penalty: weakest},
	}
	for i := range rivals {
		x := &rivals[i]
		if x.fitted, err = fit(ctx, tableOf(before, x.columns), x.penalty, nil, workers); err != nil {
			return nil, err
		}
	}
	r = &Report{
		From: s.cuts[after[0].cut].at.UTC(), To: s.to.UTC(),
		FittedSamples: len(before), FittedPositives: tableOf(before, every).positives(), Penalty: penalty,
	}
	if r.All, err = compare(ctx, rivals, after, s.seed, workers, parallel.Share(done, 0, .5)); err != nil {
		return nil, err
	}
	var again []*sample
	for _, x := range after {
		if x.sincePurchase >= 0 {
			again = append(again, x)
		}
	}
	if n := tableOf(again, every).positives(); n < leastPositives[heldOut] || n == len(again) {
		return r, nil
	}
	c, err := compare(ctx, rivals, again, s.seed, workers, parallel.Share(done, .5, 1))
	r.Again = &c
	return r, err
}

// compare measures the first of rivals beside the best of the others on some samples.
func compare(ctx context.Context, rivals []rival, samples []*sample, seed int64, workers int, done func(share float64)) (c Comparison, err error) {
	model := judge(rivals[0].fitted, samples, rivals[0].columns)
	var recency *judged
	for _, x := range rivals[1:] {
		if j := judge(x.fitted, samples, x.columns); recency == nil || j.auc(nil) > recency.auc(nil) {
			recency, c.RecencyOf = j, x.name
		}
	}
	c.Users, c.Samples, c.Positives = model.numbered, len(samples), tableOf(samples, every).positives()
	c.Model, c.Recency = model.figures(), recency.figures()
	between, less, err := resampled(ctx, []*judged{model, recency}, seed, workers, done)
	if err != nil {
		return c, err
	}
	c.Model.Interval, c.Recency.Interval = between[0], between[1]
	c.Better = Difference{AUC: c.Model.AUC - c.Recency.AUC, Interval: less[1]}
	return c, nil
}

// columns picks the numbers of a sample that a regression is over.
type columns func(x *sample) []float32

func every(x *sample) []float32 { return x.features[:] }

func sinceEvent(x *sample) []float32 { return []float32{float32(math.Log1p(float64(x.sinceEvent)))} }

// sincePurchase leaves it to the regression where those without a purchase stand.
func sincePurchase(x *sample) []float32 {
	if x.sincePurchase < 0 {
		return []float32{0, 1}
	}
	return []float32{float32(math.Log1p(float64(x.sincePurchase))), 0}
}

func tableOf(samples []*sample, columns columns) *table {
	t := &table{}
	for _, x := range samples {
		row := columns(x)
		t.width = len(row)
		t.add(row, x.bought)
	}
	return t
}
