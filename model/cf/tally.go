package cf

// tally adds scores up by item, at a cost of the items touched only. The parts of a sequence
// (moves, recall) add theirs to one; its memory serves one request after the other.
type tally struct {
	// sum holds a number for each item, 0 where it was not touched.
	sum []float32
	// touched are the items whose sum is not 0, each once, in the order of their first touch.
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

// add adds x, which is above 0, to the item's sum.
func (t *tally) add(item int32, x float32) {
	if t.sum[item] == 0 {
		t.touched = append(t.touched, item)
	}
	t.sum[item] += x
}

// reset makes every sum 0. O(touched).
func (t *tally) reset() {
	for _, item := range t.touched {
		t.sum[item] = 0
	}
	t.touched = t.touched[:0]
}
