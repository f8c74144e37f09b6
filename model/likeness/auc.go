package likeness

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/stat"
)

// Estimate is a figure, and where it lies with a confidence of 95 %, over draws of users.
type Estimate struct {
	Value float64 `json:"value"`
	Low   float64 `json:"low"`
	High  float64 `json:"high"`
}

// confidence is how many standard errors lie on either side in a normal distribution.
const confidence = 1.959964

// estimate is the figure with its variance; it lies between least and most whatever the variance.
func estimate(value, variance, least, most float64) Estimate {
	spread := confidence * math.Sqrt(max(variance, 0))
	return Estimate{Value: value, Low: max(value-spread, least), High: min(value+spread, most)}
}

// auc returns the chance that the first of two users, one of each, has the greater score, ties counted as
// half (Mann & Whitney 1947). It is 1/2 where one of the two is missing.
func auc(in, out []float64) float64 {
	if len(in) == 0 || len(out) == 0 {
		return .5
	}
	return stat.Mean(placed(in, out), nil)
}

// compare returns the AUC of two scores over the same members and others, and the first less the
// second, with intervals (DeLong, DeLong & Clarke-Pearson 1988): the variance is that of the places of
// members among others, over their number, plus that of others among members. O(n log n).
func compare(in1, out1, in2, out2 []float64) (first, second, less Estimate) {
	a1, a2 := auc(in1, out1), auc(in2, out2)
	of1, of2 := placed(in1, out1), placed(in2, out2)
	by1, by2 := placed(out1, in1), placed(out2, in2)
	var1 := stat.Variance(of1, nil)/float64(len(in1)) + stat.Variance(by1, nil)/float64(len(out1))
	var2 := stat.Variance(of2, nil)/float64(len(in2)) + stat.Variance(by2, nil)/float64(len(out2))
	both := stat.Covariance(of1, of2, nil)/float64(len(in1)) + stat.Covariance(by1, by2, nil)/float64(len(out1))
	return estimate(a1, var1, 0, 1), estimate(a2, var2, 0, 1), estimate(a1-a2, var1+var2-2*both, -1, 1)
}

// placed returns of each score the share of others that are less, ties counted as half.
func placed(scores, others []float64) []float64 {
	sorted := slices.Sorted(slices.Values(others))
	places := make([]float64, len(scores))
	for i, x := range scores {
		below, _ := slices.BinarySearch(sorted, x)
		upTo, _ := slices.BinarySearch(sorted, math.Nextafter(x, math.Inf(1)))
		places[i] = float64(below+upTo) / 2 / float64(len(others))
	}
	return places
}
