package cf

import "math"

// The metrics of one list: ranked is the list, best first, without repeats; relevant are
// the items that the user went on to choose. All are 0 where nothing is relevant.

// NDCG is the discounted gain at k, binary, divided by that of the ideal list:
// sum over hits of 1 / log2(place + 1) / sum over the first min(k, |relevant|) places.
func NDCG(ranked []int32, relevant map[int32]struct{}, k int) float64 {
	var gain, ideal float64
	for place, item := range ranked[:min(k, len(ranked))] {
		if _, hit := relevant[item]; hit {
			gain += 1 / math.Log2(float64(place)+2)
		}
	}
	for place := range min(k, len(relevant)) {
		ideal += 1 / math.Log2(float64(place)+2)
	}
	return ratio(gain, ideal)
}

// Recall is the share of the relevant items that are among the first k.
func Recall(ranked []int32, relevant map[int32]struct{}, k int) float64 {
	return ratio(float64(hits(ranked, relevant, k)), float64(len(relevant)))
}

// AveragePrecision is the sum over hits among the first k of the precision at their
// place, divided by the number of relevant items; its mean over users is MAP.
func AveragePrecision(ranked []int32, relevant map[int32]struct{}, k int) float64 {
	var sum, found float64
	for place, item := range ranked[:min(k, len(ranked))] {
		if _, hit := relevant[item]; hit {
			found++
			sum += found / float64(place+1)
		}
	}
	return ratio(sum, float64(len(relevant)))
}

// HitRate is 1 where one of the first k is relevant.
func HitRate(ranked []int32, relevant map[int32]struct{}, k int) float64 {
	return float64(min(1, hits(ranked, relevant, k)))
}

func hits(ranked []int32, relevant map[int32]struct{}, k int) int {
	n := 0
	for _, item := range ranked[:min(k, len(ranked))] {
		if _, hit := relevant[item]; hit {
			n++
		}
	}
	return n
}

func ratio(a, b float64) float64 {
	if b == 0 {
		return 0
	}
	return a / b
}
