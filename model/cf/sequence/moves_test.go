package sequence

import (
	"math"
	"slices"
	"testing"

	"github.com/attune-shop/attune/model/cf/cftest"
	"github.com/attune-shop/attune/model/cf/feedback"
	"github.com/attune-shop/attune/model/cf/sparse"
)

// movings are ways to count moves.
var movings = []moving{
	{reach: .7, shrink: 1, width: 1000},
	{direction: backward, reach: 3, shrink: 1, width: 1000},
	{direction: around, reach: 10, shrink: .5, width: 1000},
	{reach: 1.5, halfLife: .1, shrink: .3, width: 1000},
}

func TestMovesAreShares(t *testing.T) {
	for name, d := range cftest.Trips() {
		v := visitsOf(d)
		at := placesOf(&v, d.Items())
		for _, k := range movings {
			got, err := k.count(t.Context(), &v, &at, 2, nil)
			if err != nil {
				t.Fatal(err)
			}
			n := d.Items()
			c := make([]float64, n*n)
			for visit := range v.Len() {
				items, weight := v.visit(visit), 1.
				if k.halfLife > 0 {
					weight = math.Pow(2, -float64(v.Len()-1-visit)/float64(v.Len())/k.halfLife)
				}
				for p, i := range items {
					for q := p + 1; q < len(items) && q-p <= moveSpan; q++ {
						x, j := weight*math.Exp(-float64(q-p-1)/k.reach), items[q]
						if k.direction != backward {
							c[int(i)*n+int(j)] += x
						}
						if k.direction != forward {
							c[int(j)*n+int(i)] += x
						}
					}
				}
			}
			for i := range n {
				total := k.shrink
				for _, x := range c[i*n : i*n+n] {
					total += x
				}
				for j, x := range c[i*n : i*n+n] {
					if share := float64(got.At(int32(i), int32(j))); math.Abs(share-x/total) > 1e-5*share+1.01*moveLeast {
						t.Fatalf("%s, %+v: (%d, %d) is %g, want %g", name, k, i, j, share, x/total)
					}
				}
			}
			holdMoves(t, d, &got)
		}
	}
}

// holdMoves holds scores and two hops to their formulas.
func holdMoves(t *testing.T, d *feedback.Dataset, m *Moves) {
	t.Helper()
	var sums sparse.Tally
	sums.Grow(d.Items())
	for _, trail := range cftest.TrailsOf(d) {
		for _, last := range []int{1, 20} {
			for _, decay := range []float64{.01, 1.5} {
				want := map[int32]float64{}
				for k, item := range trail[:min(last, len(trail))] {
					for j := range int32(d.Items()) {
						if x := math.Exp(-float64(k) / decay); x >= fadeLeast {
							want[j] += x * float64(m.At(item, j))
						}
					}
				}
				m.score(trail, decay, last, &sums)
				cftest.HoldTally(t, &sums, want)
			}
		}
	}
	two, err := m.twice(t.Context(), 2, nil)
	if err != nil {
		t.Fatal(err)
	}
	one := make([]map[int32]float64, d.Items())
	for i := range one {
		row := m.Candidates(int32(i), nil)
		sparse.ByScore(row)
		one[i] = map[int32]float64{}
		for _, c := range row[:min(len(row), hopFrom)] {
			one[i][c.Item] = float64(c.Score)
		}
	}
	for i := range one {
		for j := range int32(d.Items()) {
			var want float64
			for via, x := range one[i] {
				want += x * one[via][j]
			}
			if got := float64(two.At(int32(i), j)); math.Abs(got-want) > 1e-5*got+1.01*moveLeast {
				t.Fatalf("two hops (%d, %d) are %g, want %g", i, j, got, want)
			}
		}
	}
}

func TestMovesKeepTheStrongest(t *testing.T) {
	d := cftest.Walks(3, 60, 80, 60)
	v := visitsOf(d)
	at := placesOf(&v, d.Items())
	all, err := moving{reach: 3, shrink: 1, width: 1000}.count(t.Context(), &v, &at, 2, nil)
	if err != nil {
		t.Fatal(err)
	}
	few, err := moving{reach: 3, shrink: 1, width: 5}.count(t.Context(), &v, &at, 2, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := range int32(d.Items()) {
		want := sparse.Ordered(sparse.KeepBest(all.Candidates(i, nil), 5))
		if got := few.Candidates(i, nil); !slices.Equal(got, want) {
			t.Fatalf("row %d is %v, want %v", i, got, want)
		}
	}
}
