package eval

import (
	"math/rand/v2"
	"slices"
)

// resamples is how often a mean is drawn again for an interval.
const resamples = 2000

// Interval is where a mean lies with a confidence of 95 %.
type Interval struct{ Low, High float64 }

// Bootstrap returns the percentile bootstrap interval of the mean of values: as many of them
// drawn with replacement, again and again, the same for the same seed (Efron 1979). It is
// the zero Interval where there are none. O(2000 values).
func Bootstrap(values []float64, seed int64) Interval {
	if len(values) == 0 {
		return Interval{}
	}
	random := rand.New(rand.NewPCG(uint64(seed), 2))
	means := make([]float64, resamples)
	for i := range means {
		var sum float64
		for range values {
			sum += values[random.IntN(len(values))]
		}
		means[i] = sum / float64(len(values))
	}
	slices.Sort(means)
	return Interval{Low: means[resamples/40], High: means[resamples-1-resamples/40]}
}

// BootstrapDifference is Bootstrap of the mean of a[i] - b[i], where both are of case i: the
// one is better than the other where the interval does not hold 0. It panics where one has
// more cases than the other.
func BootstrapDifference(a, b []float64, seed int64) Interval {
	return Bootstrap(differences(a, b), seed)
}

// differences returns a[i] - b[i]. It panics where one is longer than the other.
func differences(a, b []float64) []float64 {
	if len(a) != len(b) {
		panic("eval: differences of measurements over other cases")
	}
	all := make([]float64, len(a))
	for i := range a {
		all[i] = a[i] - b[i]
	}
	return all
}
