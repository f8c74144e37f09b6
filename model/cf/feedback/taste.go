package feedback

import "math"

const (
	// maxWeight bounds what signals of an item add up to, so that sums stay finite.
	maxWeight = 1e6
	// maxTrail is how many of the last visit's newest clicks a trail holds.
	maxTrail = 50
)

// Taste is a history as models read it.
type Taste struct {
	// Items are those of interest, once, the newest first, and Values their damped weights.
	Items  []int32
	Values []float32
	// From is the place in the history of each one's newest signal.
	From []int32
	// Trail are the items of the last visit's signals, the newest first, repeated as they came.
	Trail []int32
	// slot of an item is its place in Items and 1 more, 0 between calls.
	slot []int32
}

// Read takes in a history, oldest first, for a model of n items. An item's value is
//
//	log2(1 + sum of its weights) 2^(-newer / fade)
//
// with newer the number of items with a newer signal; fade 0 stands for no fading. Signals of
// unknown items, and weights that are not finite, are left out; so are items whose weights do
// not add up to more than 0. O(history), and 4 n bytes that are used again.
func (t *Taste) Read(history []Signal, n int, fade float32) {
	t.Items, t.Values, t.From, t.Trail = t.Items[:0], t.Values[:0], t.From[:0], t.Trail[:0]
	if len(t.slot) < n {
		t.slot = make([]int32, n)
	}
	visiting, after := true, int64(math.MaxInt64) // after is when the signal that was looked at last, a newer one, came
	for place := len(history) - 1; place >= 0; place-- {
		x := &history[place]
		if x.Item < 0 || int(x.Item) >= n || x.Weight-x.Weight != 0 {
			continue
		}
		if after != math.MaxInt64 && after-x.At > VisitGap {
			visiting = false
		}
		after = x.At
		if visiting && x.Weight > 0 && len(t.Trail) < maxTrail {
			t.Trail = append(t.Trail, x.Item)
		}
		slot := t.slot[x.Item]
		if slot == 0 {
			t.Items, t.Values, t.From = append(t.Items, x.Item), append(t.Values, 0), append(t.From, int32(place))
			slot = int32(len(t.Items))
			t.slot[x.Item] = slot
		}
		t.Values[slot-1] += x.Weight
	}
	kept := 0
	for i, item := range t.Items {
		t.slot[item] = 0
		if !(t.Values[i] > 0) {
			continue
		}
		value := damp(math.Min(float64(t.Values[i]), maxWeight))
		if fade > 0 {
			value *= math.Exp(-math.Ln2 * float64(i) / float64(fade))
		}
		t.Items[kept], t.Values[kept], t.From[kept] = item, float32(value), t.From[i]
		kept++
	}
	t.Items, t.Values, t.From = t.Items[:kept], t.Values[:kept], t.From[:kept]
}

// damp turns summed weights into a value: log2(1 + w), so that weight 1 gives 1 and the
// tenth view of an item says less than the first.
func damp(w float64) float64 { return math.Log2(1 + w) }
