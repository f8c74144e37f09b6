package spectral

import (
	"context"
	"slices"

	"github.com/attune-shop/attune/model/cf/eval"
	"github.com/attune-shop/attune/model/cf/feedback"
	"github.com/attune-shop/attune/model/parallel"
)

// What Choose tries of each setting.
var (
	triedFactors    = []int{16, 32, 64, 128, 256, 512}
	triedLowPass    = []float64{0, .05, .1, .2, .4, 1}
	triedExponents  = []float64{-.1, 0, .1, .2, .3}
	triedSharpening = []float64{0, 1, 1.5, 2, 2.5, 3}
)

// passes are what Choose tries one after the other, from the best so far.
var passes = [...]func(Filter) []Filter{blends, exponents, widths, closeBlends}

// Tried is what Choose takes for a case: from how many sources, each of which goes through the graph,
// how many lists are made, at most.
func Tried() (sources, lists int) {
	for _, vary := range passes {
		different := map[source]bool{}
		for _, set := range vary(First) {
			different[set.step().source], different[set.smooth().source] = true, true
			lists++
		}
		sources += len(different)
	}
	return sources, lists
}

// First is what Choose begins with, and what is taken unseen.
var First = Filter{Factors: 512, LowPass: .1, Exponent: .1, Sharpening: 2}

// Choose returns the settings with which the filter of the past answers cases best, by the
// protocol's metric, and what it reached. The weight of the low-pass is tried with every sharpening,
// then the exponent, and the number of factors with every weight, each with the best of the
// others so far, then what is next to the weight and the sharpening; of equally good settings
// the first stays. A case goes through the graph about eighty times (Tried, and four times more to
// sharpen each) and gets 86 lists at most.
func Choose(ctx context.Context, past *feedback.Dataset, cases []eval.Case, p eval.Protocol, seed int64, workers int, done func(float64)) (Filter, *eval.Measurement, error) {
	most := slices.Max(triedFactors)
	s, err := newSpectrum(ctx, past, most, seed, workers, parallel.Share(done, 0, .2))
	if err != nil {
		return Filter{}, nil, err
	}
	best := First
	t, reached := s.newTrial(past, cases, p, workers), (*eval.Measurement)(nil)
	metric := p.Metric().At(p.K)
	for pass, vary := range passes {
		within := parallel.Share(done, .2+.8*float64(pass)/float64(len(passes)), .2+.8*float64(pass+1)/float64(len(passes)))
		settings := vary(best)
		results, err := t.measure(ctx, settings, within)
		if err != nil {
			return Filter{}, nil, err
		}
		for i, m := range results {
			if reached == nil || m.Metrics[metric] > reached.Metrics[metric] {
				best, reached = settings[i], m
			}
		}
	}
	return best, reached, nil
}

// blends are the weights of the low-pass, each with every sharpening.
func blends(from Filter) (settings []Filter) {
	for _, from.LowPass = range triedLowPass {
		for _, from.Sharpening = range triedSharpening {
			settings = append(settings, from)
		}
	}
	return settings
}

// closeBlends are the blends at most one place from a setting.
func closeBlends(from Filter) (settings []Filter) {
	w, t := slices.Index(triedLowPass, from.LowPass), slices.Index(triedSharpening, from.Sharpening)
	for _, from.LowPass = range triedLowPass[max(w-1, 0):min(w+2, len(triedLowPass))] {
		for _, from.Sharpening = range triedSharpening[max(t-1, 0):min(t+2, len(triedSharpening))] {
			settings = append(settings, from)
		}
	}
	return settings
}

// exponents are a setting with every exponent.
func exponents(from Filter) (settings []Filter) {
	for _, from.Exponent = range triedExponents {
		settings = append(settings, from)
	}
	return settings
}

// widths are numbers of factors, each with every weight: without weight they say nothing.
func widths(from Filter) (settings []Filter) {
	for _, from.Factors = range triedFactors {
		for _, from.LowPass = range triedLowPass {
			settings = append(settings, from)
		}
	}
	return settings
}
