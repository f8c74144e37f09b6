package cf

import (
	"testing"
)

func TestAfterIsWhatCameNext(t *testing.T) {
	for name, d := range trips() {
		v := visitsOf(d)
		m, err := afterOf(t.Context(), &v, d.Items(), 2, nil)
		if err != nil {
			t.Fatal(err)
		}
		seen := map[[2]int32]map[int32]float64{}
		total := map[[2]int32]float64{}
		for k := range v.len() {
			items := v.visit(k)
			for p := range len(items) - min(len(items), 2) {
				pair := [2]int32{items[p], items[p+1]}
				if seen[pair] == nil {
					seen[pair] = map[int32]float64{}
				}
				seen[pair][items[p+2]]++
				total[pair]++
			}
		}
		if len(m.seconds) != len(seen) || m.next.len() != len(seen) {
			t.Fatalf("%s: %d pairs, want %d", name, len(m.seconds), len(seen))
		}
		var sums tally
		sums.grow(d.Items())
		for _, trail := range trailsOf(d) {
			want := map[int32]float64{}
			if len(trail) > 1 {
				pair := [2]int32{trail[1], trail[0]}
				for j, n := range seen[pair] {
					want[j] = n / (total[pair] + 1)
				}
			}
			m.score(trail, &sums)
			holdTally(t, &sums, want)
		}
	}
}
