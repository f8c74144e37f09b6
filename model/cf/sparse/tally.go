package sparse

import (
	"math"
	"slices"
)

// Tally adds scores up by item, at a cost of the items touched only. One serves a request's parts
// (rows, moves, memories) one after the other, and then the next request.
type Tally struct {
	// Sum holds a number for each item, 0 where it was not touched.
	Sum []float32
	// Touched are the items whose sum is not 0, in the order of their first touch: each once, unless
	// its sum was 0 again in between.
	Touched []int32
}

// Grow makes room for items 0 to n-1. It allocates where a larger n is met only.
func (t *Tally) Grow(n int) {
	if len(t.Sum) < n {
		sum := make([]float32, n)
		copy(sum, t.Sum)
		t.Sum = sum
	}
}

// Add adds x to the item's sum.
func (t *Tally) Add(item int32, x float32) {
	if t.Sum[item] == 0 {
		t.Touched = append(t.Touched, item)
	}
	t.Sum[item] += x
}

// AddRow adds x times each value to the sum of its item. Whether an item was touched before is a
// coin toss, so there is no branch on it.
func (t *Tally) AddRow(x float32, items []int32, values []float32) {
	values = values[:len(items)]
	n := len(t.Touched)
	touched, sums := slices.Grow(t.Touched, len(items))[:n+len(items)], t.Sum
	for i, item := range items {
		sum := sums[item]
		touched[n] = item
		n += none(sum)
		sums[item] = sum + x*values[i]
	}
	t.Touched = touched[:n]
}

// Drain appends the items whose sum is not 0, with it, and makes every sum 0.
func (t *Tally) Drain(all []Candidate) []Candidate {
	n, sums := len(all), t.Sum
	all = slices.Grow(all, len(t.Touched))[:n+len(t.Touched)]
	for _, item := range t.Touched {
		x := sums[item]
		sums[item] = 0
		all[n] = Candidate{Item: item, Score: x}
		n += 1 - none(x)
	}
	t.Touched = t.Touched[:0]
	return all[:n]
}

// DrainPositive puts what is above 0 into items and scores, whose memory it uses, adds it up, and
// makes every sum 0.
func (t *Tally) DrainPositive(items []int32, scores []float32) (_ []int32, _ []float32, total float32) {
	n, kept := len(t.Touched), 0
	items, scores = slices.Grow(items[:0], n)[:n], slices.Grow(scores[:0], n)[:n]
	sums := t.Sum
	for _, item := range t.Touched {
		x := max(sums[item], 0)
		sums[item] = 0
		items[kept], scores[kept] = item, x
		kept += 1 - none(x)
		total += x
	}
	t.Touched = t.Touched[:0]
	return items[:kept], scores[:kept], total
}

// Reset makes every sum 0. O(touched).
func (t *Tally) Reset() {
	for _, item := range t.Touched {
		t.Sum[item] = 0
	}
	t.Touched = t.Touched[:0]
}

// none is 1 where x is 0, else 0, without a branch.
func none(x float32) int {
	return int((uint64(math.Float32bits(x)<<1) - 1) >> 63)
}
