package cf

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/attune-shop/attune/model/cf/feedback"
	"github.com/attune-shop/attune/model/cf/spectral"
)

// What a small server of two cores does in a second, and what a list costs it. Fits are
// estimated by these and not timed, because the clock must not decide what is chosen: the same
// data give the same model on any machine. A larger one is done sooner than estimated.
const (
	// In multiplications a second, denseRate is EASE's inverse, vectorRate ALS and filterRate a
	// graph filter; sparseRate is the products of two items of one user that are added up.
	denseRate, vectorRate, filterRate, sparseRate = 2e10, 1e10, 1.6e10, 5e7
	// listTime is what it takes to measure a list, and blendTime what a list adds to the fit of
	// a blend's weights.
	listTime, blendTime = 100 * time.Microsecond, 2500 * time.Microsecond
)

// cost estimates how long one setting of an algorithm takes to fit and measure. With n items,
// p pairs of users and items, s the sum over users of items^2, and r the rank of ALS:
//
//	EASE      n^3 / 2 dense, s / 2 sparse
//	ALS       iterations (alsSteps + 1) (4 p r + (users + n) r^2) vector
//	ItemKNN   s sparse
//	Spectral  for each list of a user 8 p + n k filtered a source, and listTime a list, to choose k
//	          factors and the rest (spectral.Tried); for each item 10 p + n k filtered
//	Blend     blendTime a list; its parts are fitted already
//
// and listTime a list. In a large catalog ALS takes ItemKNN's neighbours, too.
func (h *chooser) cost(algorithm string, o Options) time.Duration {
	d := h.Past
	var squares float64
	for u := range d.ByUser().Len() {
		items, _ := d.ByUser().Row(int32(u))
		squares += float64(len(items)) * float64(len(items))
	}
	var seconds float64
	switch algorithm {
	case EASE:
		n := float64(len(d.Active()))
		seconds = n*n*n/2/denseRate + squares/2/sparseRate
	case ALS:
		rank, rows := float64(o.Factors), float64(d.ByUser().Len()+d.ByItem().Len())
		seconds = float64(o.Iterations*(alsSteps+1)) * (4*float64(d.Pairs())*rank + rows*rank*rank) / vectorRate
		if d.ByItem().Len() > FullScanItems {
			seconds += squares / sparseRate
		}
	case Spectral:
		n, pairs, k := float64(d.ByItem().Len()), float64(d.Pairs()), float64(spectral.First.Factors)
		cases := float64(min(len(h.Cases), o.EvaluatedUsers))
		sources, lists := spectral.Tried()
		seconds = (cases*float64(sources)*(8*pairs+n*k)+n*(10*pairs+n*k))/filterRate + cases*float64(lists)*listTime.Seconds()
	case ItemKNN:
		seconds = squares / sparseRate
	case Blend:
		seconds = float64(len(h.Cases)) * blendTime.Seconds()
	}
	return time.Duration((seconds + float64(len(h.Cases))*listTime.Seconds()) * float64(time.Second))
}

// scope is what is tried of an algorithm.
type scope struct {
	algorithm string
	// each is the estimated cost of one setting.
	each time.Duration
	// settings is how many are tried, the first ones of search, of so many in all.
	settings, all int
}

func (s scope) cost() time.Duration { return time.Duration(s.settings) * s.each }

// scopes shares the budget out: one setting of each algorithm, the cheapest first, then, in the
// same order, the others of each as far as they go. Popularity, ItemKNN, which every model needs
// for what is similar, and what was asked for by name are tried whatever they cost.
func (o Options) scopes(d *feedback.Dataset, h *chooser) []scope {
	var all []scope
	for _, algorithm := range o.tries(d) {
		_, steps := search(algorithm, h.Past, o)
		s := scope{algorithm: algorithm, each: max(h.cost(algorithm, o), 1), all: 1}
		for _, step := range steps {
			s.all += len(step(Settings{}))
		}
		all = append(all, s)
	}
	byCost := make([]*scope, len(all))
	for k := range all {
		byCost[k] = &all[k]
	}
	slices.SortStableFunc(byCost, func(a, b *scope) int { return cmp.Compare(a.each, b.each) })
	left := o.Budget
	for _, s := range byCost {
		if s.algorithm == Popularity || s.algorithm == ItemKNN || s.algorithm == o.Algorithm || s.each <= left {
			s.settings = 1
			left -= s.each
		}
	}
	for _, s := range byCost {
		if s.settings > 0 && left > 0 {
			more := min(s.all-1, int(left/s.each))
			s.settings += more
			left -= time.Duration(more) * s.each
		}
	}
	return all
}

// omitted says what is not tried, as the end of a sentence.
func (o Options) omitted(all []scope) string {
	var parts []string
	for _, s := range all {
		switch {
		case s.settings == 0:
			parts = append(parts, fmt.Sprintf("%q", s.algorithm))
		case s.settings < s.all:
			parts = append(parts, fmt.Sprintf("%d of %d settings of %q", s.all-s.settings, s.all, s.algorithm))
		}
	}
	if len(parts) == 0 {
		return ""
	}
	return fmt.Sprintf("; not tried, for a budget of %s: %s", o.Budget, strings.Join(parts, ", "))
}
