package sequence

import (
	"math"
	"slices"
	"testing"

	"github.com/attune-shop/attune/model/cf/cftest"
	"github.com/attune-shop/attune/model/cf/sparse"
)

// recallings are ways to remember moments; the second looks at few.
var recallings = []recalling{
	{decay: 1.5, power: 4, future: .5, moments: 20_000},
	{decay: 3, power: 8, future: 1, moments: 7},
	{decay: 30, power: 1, future: 3, moments: 1},
	{decay: .7, power: 0, future: .1, moments: 2000},
	{decay: 1, power: 3, future: 1, moments: 0},
}

func TestRecallIsTheFutureOfMomentsAlike(t *testing.T) {
	for name, d := range cftest.Trips() {
		v := visitsOf(d)
		for _, k := range recallings {
			m := recallOf(v, d.Items(), k)
			var sums sparse.Tally
			var rc Scratch
			sums.Grow(d.Items())
			held := 0
			for _, trail := range cftest.TrailsOf(d) {
				m.score(trail, &rc, &sums)
				if want, sure := remembered(&v, k, trail); sure {
					cftest.HoldTally(t, &sums, want)
					held++
				}
				sums.Reset()
			}
			if held < 20 {
				t.Errorf("%s, %+v: %d trails were held to the formula", name, k, held)
			}
		}
	}
}

// remembered is the formula of recall; it is not sure where a cosine is about recallLikeness.
func remembered(v *Visits, k recalling, trail []int32) (t map[int32]float64, sure bool) {
	describe := func(newestFirst []int32) (x map[int32]float64, length float64) {
		x = map[int32]float64{}
		for back, item := range newestFirst[:min(len(newestFirst), recallClicks)] {
			x[item] += math.Exp(-float64(back) / k.decay)
		}
		for _, w := range x {
			length += w * w
		}
		return x, math.Sqrt(length)
	}
	present, length := describe(trail)
	t, sure = map[int32]float64{}, true
	looked, total := map[int32]int{}, recallShrink
	for visit := v.Len() - 1; visit >= 0; visit-- {
		items := v.visit(visit)
		for p := len(items) - 2; p >= 0; p-- {
			past := slices.Clone(items[:p+1])
			slices.Reverse(past)
			moment, momentLength := describe(past)
			var product float64
			for item, w := range moment {
				if looked[item]++; looked[item] <= k.moments {
					product += w * present[item]
				}
			}
			cosine := product / length / momentLength
			sure = sure && math.Abs(cosine-recallLikeness) > 1e-4
			if !(cosine >= recallLikeness) {
				continue
			}
			say := math.Pow(cosine, float64(k.power))
			total += say
			for q := p + 1; q < len(items); q++ {
				if x := math.Exp(-float64(q-p-1) / k.future); x >= recallFuture {
					t[items[q]] += say * x
				}
			}
		}
	}
	for j := range t {
		t[j] /= total
	}
	return t, sure
}
