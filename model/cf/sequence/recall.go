package sequence

import (
	"math"
	"math/bits"
	"slices"

	"github.com/attune-shop/attune/model/cf/sparse"
	"github.com/attune-shop/attune/model/dense"
)

const (
	// recallClicks is how many of the last items of a trail, or of a visit up to a moment,
	// tell what they are like.
	recallClicks = 10
	// recallLikeness is the cosine below which a moment has no say.
	recallLikeness = .2
	// recallFuture is the weight below which what came later is left out.
	recallFuture = .02
	// recallShrink is added to the says: a few moments that are hardly alike score low.
	recallShrink = .5
)

// recalling is how moments are remembered.
type recalling struct {
	// decay is the number of places back over which an item's weight falls to 1/e.
	decay float64
	// power of the cosine is a moment's say.
	power int
	// future is the number of places on over which an item's score falls to 1/e.
	future float64
	// moments is how many moments of an item are looked at, the newest. Those of a popular item
	// that are older add time and noise: HR@20 and MRR@20 on Yoochoose 1/64 are .666 and .302 with
	// 500, .680 and .308 with 1,500 or 2,000, and .679 and .306 with 20,000, in twice the time.
	moments int
}

// recall remembers moments like the present one, and what came then. A moment is a place p of a
// visit with others after it, and is described by the items before:
//
//	x_p,i = sum over places r = p, p-1 ... p-9 of the visit with i at r of exp(-(p - r) / decay)
//
// and so is a trail. The moments found by any of a trail's items say what came next:
//
//	c_p = cosine(x_trail, x_p), say_p = c_p^power where c_p >= .2, else 0
//	t_j += sum_p say_p sum over q > p with j at q of exp(-(q - p - 1) / future) / (sum_p say_p + .5)
//
// These are the neighbours of VSKNN (Ludewig & Jannach 2018) and STAN (Garg et al. 2019), with
// moments for whole sessions.
//
// Everything but recalling and visits is derived from them by index: 1 byte an interaction, 8 an
// entry of found.
type recall struct {
	recalling
	visits Visits

	// found has, for each item, the places of its newest moments, increasing, with x_p,i / |x_p|.
	found sparse.Rows
	// left is how many places of its visit come after each place.
	left []uint8
	// past are the weights by places back, later those by places on.
	past, later []float32
}

// recallOf returns the memory of visits, whose items are 0 to items-1.
// O(interactions * recallClicks^2).
func recallOf(v Visits, items int, k recalling) recall {
	m := recall{recalling: k, visits: v}
	m.index(items)
	return m
}

// index derives what is not stored.
func (m *recall) index(items int) {
	m.past = fading(m.decay, recallClicks, 0)
	m.later = fading(m.future, MaxVisit, recallFuture)
	m.left = make([]uint8, len(m.visits.Items))
	m.found = sparse.NewRows(items, len(m.visits.Items))
	counts := m.found.Ends
	var x vector
	for k := range m.visits.Len() {
		from, end := m.visits.from(k), m.visits.Ends[k]
		for p := from; p < end; p++ {
			m.left[p] = uint8(end - 1 - p)
			if p < end-1 {
				m.describe(&x, from, p)
				for _, i := range x.items[:x.n] {
					counts[i]++
				}
			}
		}
	}
	next := make([]int64, items) // filled from the newest on, until a row is full
	var sum int64
	for i, n := range counts {
		sum += min(n, int64(m.moments))
		counts[i], next[i] = sum, sum
	}
	m.found.Columns, m.found.Values = make([]int32, sum), make([]float32, sum)
	for k := m.visits.Len() - 1; k >= 0; k-- {
		from := m.visits.from(k)
		for p := m.visits.Ends[k] - 2; p >= from; p-- {
			m.describe(&x, from, p)
			length := x.length()
			for n, i := range x.items[:x.n] {
				if i > 0 && next[i] == counts[i-1] || next[i] == 0 {
					continue
				}
				next[i]--
				m.found.Columns[next[i]], m.found.Values[next[i]] = int32(p), x.weights[n]/length
			}
		}
	}
}

// fading returns exp(-k / decay) for k from 0 on, at most n of them, and none below least.
func fading(decay float64, n int, least float64) []float32 {
	var all []float32
	for k := range n {
		x := math.Exp(-float64(k) / decay)
		if x < least {
			break
		}
		all = append(all, float32(x))
	}
	return all
}

// vector is what items weigh, each once.
type vector struct {
	items   [recallClicks]int32
	weights [recallClicks]float32
	n       int
}

func (x *vector) add(item int32, weight float32) {
	for k, known := range x.items[:x.n] {
		if known == item {
			x.weights[k] += weight
			return
		}
	}
	x.items[x.n], x.weights[x.n] = item, weight
	x.n++
}

// length is the Euclidean norm.
func (x *vector) length() float32 {
	var square float64
	for _, w := range x.weights[:x.n] {
		square += float64(w) * float64(w)
	}
	return float32(math.Sqrt(square))
}

// heaviest puts the items in the order of their weights, greatest first.
func (x *vector) heaviest() {
	for k := 1; k < x.n; k++ {
		for j := k; j > 0 && x.weights[j] > x.weights[j-1]; j-- {
			x.weights[j], x.weights[j-1] = x.weights[j-1], x.weights[j]
			x.items[j], x.items[j-1] = x.items[j-1], x.items[j]
		}
	}
}

// describe makes x that of place p in the visit that begins at from.
func (m *recall) describe(x *vector, from, p int64) {
	x.n = 0
	for r := p; r >= max(from, p-recallClicks+1); r-- {
		x.add(m.visits.Items[r], m.past[p-r])
	}
}

// Scratch is memory that Score uses again. The zero value is ready; it serves one call at
// a time and any Model. It grows to 52 bytes a moment looked at.
type Scratch struct {
	// slots is a hash table with open addressing, all 0 between calls.
	slots []recallSlot
	// used are the places in slots that are not 0, in the order of their filling.
	used []int32
	says []recallSay
}

// recallSlot is a moment and what its products with the trail add up to.
type recallSlot struct {
	// moment is its place and 1 more, 0 where the slot is free.
	moment int32
	sum    float32
}

// recallSay is what came after a moment and its say.
type recallSay struct {
	next []int32
	say  float32
}

// score adds what came after the moments like the trail, newest first, to t. Items that are not
// known take their place and find nothing. O(recallClicks * moments), and no memory once rc has
// grown.
func (m *recall) score(trail []int32, rc *Scratch, t *sparse.Tally) {
	var x vector
	for k, item := range trail[:min(len(trail), recallClicks)] {
		x.add(item, m.past[k])
	}
	x.heaviest()
	length := x.length()
	m.look(&x, length, rc)
	total := float32(recallShrink)
	rc.says = rc.says[:0]
	for _, place := range rc.used {
		slot := rc.slots[place]
		rc.slots[place] = recallSlot{}
		if cosine := slot.sum / length; cosine >= recallLikeness {
			say, p := power(cosine, m.power), slot.moment-1
			total += say
			next := m.visits.Items[p+1:][:min(int(m.left[p]), len(m.later))]
			dense.Fetch(next)
			rc.says = append(rc.says, recallSay{next, say})
		}
	}
	rc.used = rc.used[:0]
	for _, one := range rc.says {
		t.AddRow(one.say/total, one.next, m.later)
	}
}

// look adds up the products of x and the moments found by its items in rc.
func (m *recall) look(x *vector, length float32, rc *Scratch) {
	// Moments that the rest of the items find only are not enough alike: the rest's length is
	// as much as their product can be. So they are looked up, and not put in.
	enter, rest, most := x.n, 0., 0
	for k := x.n - 1; k >= 0; k-- {
		rest += float64(x.weights[k]) * float64(x.weights[k])
		if math.Sqrt(rest) < (recallLikeness-1e-4)*float64(length) {
			enter = k
		}
	}
	for _, item := range x.items[:enter] {
		moments, _ := m.found.Row(item)
		most += len(moments)
	}
	if most == 0 {
		return
	}
	size := bits.Len(uint(2 * most))
	if len(rc.slots) < 1<<size {
		rc.slots = make([]recallSlot, 1<<size)
	}
	rc.used = slices.Grow(rc.used, most)
	slots, shift := rc.slots[:1<<size], 32-size
	for k, item := range x.items[:x.n] {
		moments, values := m.found.Row(item)
		values = values[:len(moments)]
		w, insert := x.weights[k], k < enter
		for n, p := range moments {
			place := uint32(p+1) * 2654435769 >> shift // Fibonacci hashing
			for slots[place].moment != 0 && slots[place].moment != p+1 {
				place = (place + 1) & uint32(len(slots)-1)
			}
			switch slot := &slots[place]; {
			case slot.moment != 0:
				slot.sum += w * values[n]
			case insert:
				*slot = recallSlot{p + 1, w * values[n]}
				rc.used = append(rc.used, int32(place))
			}
		}
	}
}

// power returns x^n for n >= 0.
func power(x float32, n int) float32 {
	y := float32(1)
	for ; n > 0; n >>= 1 {
		if n&1 == 1 {
			y *= x
		}
		x *= x
	}
	return y
}
