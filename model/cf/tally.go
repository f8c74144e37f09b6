package cf

import (
	"math"
	"slices"
)

// tally adds scores up by item, at a cost of the items touched only. One serves a request's parts
// (rows, moves, recall) one after the other, and then the next request.
type tally struct {
	// sum holds a number for each item, 0 where it was not touched.
	sum []float32
	// touched are the items whose sum is not 0, in the order of their first touch: each once, unless
	// its sum was 0 again in between.
	touched []int32
}

// grow makes room for items 0 to n-1. It allocates where a larger n is met only.
func (t *tally) grow(n int) {
	if len(t.sum) < n {
		sum := make([]float32, n)
		copy(sum, t.sum)
		t.sum = sum
	}
}

// add adds x to the item's sum.
func (t *tally) add(item int32, x float32) {
	if t.sum[item] == 0 {
		t.touched = append(t.touched, item)
	}
	t.sum[item] += x
}

// addRow adds x times each value to the sum of its item. Whether an item was touched before is a
// coin toss, so there is no branch on it.
func (t *tally) addRow(x float32, items []int32, values []float32) {
	values = values[:len(items)]
	n := len(t.touched)
	touched, sums := slices.Grow(t.touched, len(items))[:n+len(items)], t.sum
	for i, item := range items {
		sum := sums[item]
		touched[n] = item
		n += none(sum)
		sums[item] = sum + x*values[i]
	}
	t.touched = touched[:n]
}

// drain appends the items whose sum is not 0, with it, and makes every sum 0.
func (t *tally) drain(all []Candidate) []Candidate {
	n, sums := len(all), t.sum
	all = slices.Grow(all, len(t.touched))[:n+len(t.touched)]
	for _, item := range t.touched {
		x := sums[item]
		sums[item] = 0
		all[n] = Candidate{Item: item, Score: x}
		n += 1 - none(x)
	}
	t.touched = t.touched[:0]
	return all[:n]
}

// drainPositive puts what is above 0 into items and scores, whose memory it uses, adds it up, and
// makes every sum 0.
func (t *tally) drainPositive(items []int32, scores []float32) (_ []int32, _ []float32, total float32) {
	n, kept := len(t.touched), 0
	items, scores = slices.Grow(items[:0], n)[:n], slices.Grow(scores[:0], n)[:n]
	sums := t.sum
	for _, item := range t.touched {
		x := max(sums[item], 0)
		sums[item] = 0
		items[kept], scores[kept] = item, x
		kept += 1 - none(x)
		total += x
	}
	t.touched = t.touched[:0]
	return items[:kept], scores[:kept], total
}

// reset makes every sum 0. O(touched).
func (t *tally) reset() {
	for _, item := range t.touched {
		t.sum[item] = 0
	}
	t.touched = t.touched[:0]
}

// none is 1 where x is 0, else 0, without a branch.
func none(x float32) int {
	return int((uint64(math.Float32bits(x)<<1) - 1) >> 63)
}
