package cf

import "math"

const (
	// maxWeight bounds what signals of an item add up to, so that sums stay finite.
	maxWeight = 1e6
	// maxTrail is how many of the last visit's newest clicks a trail holds.
	maxTrail = 50
)

// taste is a history as models read it.
type taste struct {
	// items are those of interest, once, the newest first, and values their damped weights.
	items  []int32
	values []float32
	// from is the place in the history of each one's newest signal.
	from []int32
	// trail are the items of the last visit's signals, the newest first, repeated as they came.
	trail []int32
	// slot of an item is its place in items and 1 more, 0 between calls.
	slot []int32
}

// read takes in a history, oldest first, for a model of n items. An item's value is
//
//	log2(1 + sum of its weights) 2^(-newer / fade)
//
// with newer the number of items with a newer signal; fade 0 stands for no fading. Signals of
// unknown items, and weights that are not finite, are left out; so are items whose weights do
// not add up to more than 0. O(history), and 4 n bytes that are used again.
func (t *taste) read(history []Signal, n int, fade float32) {
	t.items, t.values, t.from, t.trail = t.items[:0], t.values[:0], t.from[:0], t.trail[:0]
	if len(t.slot) < n {
		t.slot = make([]int32, n)
	}
	visiting, after := true, int64(math.MaxInt64) // after is when the signal that was looked at last, a newer one, came
	for place := len(history) - 1; place >= 0; place-- {
		x := &history[place]
		if x.Item < 0 || int(x.Item) >= n || x.Weight-x.Weight != 0 {
			continue
		}
		if after != math.MaxInt64 && after-x.At > visitGap {
			visiting = false
		}
		after = x.At
		if visiting && x.Weight > 0 && len(t.trail) < maxTrail {
			t.trail = append(t.trail, x.Item)
		}
		slot := t.slot[x.Item]
		if slot == 0 {
			t.items, t.values, t.from = append(t.items, x.Item), append(t.values, 0), append(t.from, int32(place))
			slot = int32(len(t.items))
			t.slot[x.Item] = slot
		}
		t.values[slot-1] += x.Weight
	}
	kept := 0
	for i, item := range t.items {
		t.slot[item] = 0
		if !(t.values[i] > 0) {
			continue
		}
		value := damp(math.Min(float64(t.values[i]), maxWeight))
		if fade > 0 {
			value *= math.Exp(-math.Ln2 * float64(i) / float64(fade))
		}
		t.items[kept], t.values[kept], t.from[kept] = item, float32(value), t.from[i]
		kept++
	}
	t.items, t.values, t.from = t.items[:kept], t.values[:kept], t.from[:kept]
}
