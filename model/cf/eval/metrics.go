package eval

import (
	"fmt"
	"math"
)

// Metric is what lists are measured by, each 0 to 1. All are means over the lists but
// Coverage, which is of all lists together.
type Metric string

// The metrics. With hits as the places of a list of k that hold something relevant, counted
// from 1, and n as the number of relevant items:
const (
	// NDCG is the binary discounted gain divided by that of the ideal list:
	// sum over hits of 1 / log2(place + 1) / sum over the first min(k, n) places.
	NDCG Metric = "ndcg"
	// Recall is hits / n.
	Recall Metric = "recall"
	// Precision is hits / k.
	Precision Metric = "precision"
	// MAP is the sum over hits of the precision up to their place, divided by n.
	MAP Metric = "map"
	// HitRate is 1 where there is a hit.
	HitRate Metric = "hit_rate"
	// MRR is 1 / the place of the first hit.
	MRR Metric = "mrr"
	// Coverage is the share of the model's items that are in any list.
	Coverage Metric = "coverage"
)

// At is the metric's name for lists of k, as in "ndcg@10".
func (m Metric) At(k int) string { return fmt.Sprintf("%s@%d", m, k) }

// listMetrics are those that each list has.
var listMetrics = [...]Metric{NDCG, Recall, Precision, MAP, HitRate, MRR}

// measureList returns the listMetrics of a list that has hits at these places, counted from
// 0 and in order. All are 0 where nothing is relevant.
func measureList(hits []int, relevant, k int) (values [len(listMetrics)]float64) {
	if len(hits) == 0 || relevant == 0 {
		return values
	}
	var gain, ideal, precision float64
	for n, place := range hits {
		gain += 1 / math.Log2(float64(place)+2)
		precision += float64(n+1) / float64(place+1)
	}
	for place := range min(k, relevant) {
		ideal += 1 / math.Log2(float64(place)+2)
	}
	found := float64(len(hits))
	return [...]float64{gain / ideal, found / float64(relevant), found / float64(k), precision / float64(relevant), 1, 1 / float64(hits[0]+1)}
}
