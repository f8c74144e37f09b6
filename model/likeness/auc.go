package likeness

import (
	"math"
	"slices"
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
	return mean(placed(in, out))
}

// compare returns the AUC of two scores over the same members and others, and the first less the
// second, with intervals (DeLong, DeLong & Clarke-Pearson 1988): the variance is that of the places of
// members among others, over their number, plus that of others among members. O(n log n).
func compare(in1, out1, in2, out2 []float64) (first, second, less Estimate) {
	a1, a2 := auc(in1, out1), auc(in2, out2)
	of1, of2 := placed(in1, out1), placed(in2, out2)
	by1, by2 := placed(out1, in1), placed(out2, in2)
	var1 := covariance(of1, of1)/float64(len(in1)) + covariance(by1, by1)/float64(len(out1))
	var2 := covariance(of2, of2)/float64(len(in2)) + covariance(by2, by2)/float64(len(out2))
	both := covariance(of1, of2)/float64(len(in1)) + covariance(by1, by2)/float64(len(out1))
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

func mean(all []float64) float64 {
	sum := 0.
	for _, x := range all {
		sum += x
	}
	return sum / float64(len(all))
}

// covariance returns the unbiased one of two lists of the same length, 0 of less than two.
func covariance(a, b []float64) float64 {
	if len(a) < 2 {
		return 0
	}
	sum, ma, mb := 0., mean(a), mean(b)
	for i := range a {
		sum += (a[i] - ma) * (b[i] - mb)
	}
	return sum / float64(len(a)-1)
}
