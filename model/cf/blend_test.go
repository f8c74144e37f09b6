package cf

import (
	"math"
	"slices"
	"testing"

	"github.com/attune-shop/attune/model/cf/cftest"
	"github.com/attune-shop/attune/model/cf/eval"
	"github.com/attune-shop/attune/model/cf/feedback"
	"github.com/attune-shop/attune/model/cf/sequence"
	"github.com/attune-shop/attune/model/cf/sparse"
	"github.com/attune-shop/attune/model/dense"
)

// blended is a small blend of everything.
func blended(t testing.TB, d *feedback.Dataset) *Snapshot {
	t.Helper()
	s, _, _, err := train(t.Context(), d, Options{Algorithm: Blend, Factors: 4, Neighbours: 6, RowItems: 8}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if s.algorithm != Blend || s.blend.sequence == nil || len(s.blend.base) != 3 {
		t.Fatalf("%s of %v", s.algorithm, s.blend)
	}
	return s
}

// chances are what a part gives each item, by its definition.
func chances(s *Snapshot, part int, history []feedback.Signal) []float64 {
	var t feedback.Taste
	t.Read(history, s.Items(), s.settings.Fade)
	given := make([]float64, s.Items())
	switch b := s.blend; {
	case part >= len(b.base):
		var rc sequence.Scratch
		var sums sparse.Tally
		sums.Grow(s.Items())
		b.sequence.Score(part-len(b.base), t.Trail, &rc, &sums)
		for j, x := range sums.Sum {
			given[j] = float64(x)
		}
	case b.base[part] != ALS:
		for j := range given {
			for i, item := range t.Items {
				given[j] += float64(t.Values[i]) * float64(s.rowsOf(b.base[part]).At(item, int32(j)))
			}
		}
	default:
		var f folding
		s.foldIn(&t, &f)
		for j := range given {
			given[j] = float64(dense.Dot(f.user, s.factor(int32(j))))
		}
	}
	return given
}

// TestBlendFeatures compares with their definitions, item by item.
func TestBlendFeatures(t *testing.T) {
	s := blended(t, cftest.Walks(5, 60, 40, 40))
	b := s.blend
	history := []feedback.Signal{
		{Item: 7, Weight: 1, At: 0},
		{Item: 3, Weight: 1, At: 10_000}, {Item: 5, Weight: 1, At: 10_010}, {Item: 3, Weight: 5, At: 10_020},
		{Item: 4, Weight: -1, At: 10_025}, {Item: 3, Weight: 1, At: 10_030}, {Item: 9, Weight: 1, At: 10_040}, {Item: 3, Weight: 1, At: 10_050},
	}
	trail := []int32{3, 9, 3, 3, 5, 3} // newest first, of the last visit
	closed := func(item int32) bool { return item == 11 }
	var sc Scratch
	for range 2 { // the second time in used memory
		sc.taste.Read(history, s.Items(), s.settings.Fade)
		if !slices.Equal(sc.taste.Trail, trail) {
			t.Fatalf("trail %v, want %v", sc.taste.Trail, trail)
		}
		m := s.collect(&sc, nil, closed)
		given, total := make([][]float64, b.parts()), make([]float64, b.parts())
		for k := range given {
			given[k] = chances(s, k, history)
			for j, x := range given[k] {
				among := k >= len(b.base) || b.base[k] != ALS || slices.ContainsFunc(m.candidates, func(c Candidate) bool { return c.Item == int32(j) })
				if x > 0 && among {
					total[k] += x
				}
			}
		}
		width := b.features()
		for place, c := range m.candidates {
			if closed(c.Item) {
				t.Fatal("a closed candidate")
			}
			row := m.features[place*width : (place+1)*width]
			want := make([]float64, 0, width)
			var mixed float64
			for k := range given {
				chance := max(given[k][c.Item], 0) / math.Max(total[k], 1e-30)
				if k >= len(b.base) || b.base[k] != ALS {
					mixed += float64(b.shares[k]) * chance
				}
				want = append(want, math.Log(chance+leastChance))
			}
			want = append([]float64{math.Log(mixed + leastChance)}, want...)
			want = append(want, math.Log(1+float64(s.popular[c.Item])), math.Log(.1+float64(b.sequence.Recent[c.Item])))
			want = append(want, trailFeatures(trail, c.Item)...)
			for i := range want {
				if !cftest.Near(float64(row[i]), want[i], 1e-3) {
					t.Fatalf("feature %d of item %d is %g, want %g", i, c.Item, row[i], want[i])
				}
			}
		}
	}
}

// trailFeatures are those from featureAge0 on.
func trailFeatures(trail []int32, item int32) []float64 {
	f := make([]float64, commonFeatures-featureAge0)
	count := 0
	for k, x := range trail {
		if x != item {
			continue
		}
		if count == 0 {
			f[min(k, 4)] = 1
		}
		count++
		if k+1 < len(trail) && trail[k+1] == trail[0] {
			f[featureFollowed-featureAge0] = 1
		}
		if k > 0 && trail[k-1] == trail[0] {
			f[featurePreceded-featureAge0] = 1
		}
	}
	f[featureRepeats-featureAge0] = math.Log(math.Max(float64(count), 1))
	return f
}

// TestBlendLearnsWhatComesNext: in a shop where each item leads to the next one, the blend
// foretells it, and no other algorithm does.
func TestBlendLearnsWhatComesNext(t *testing.T) {
	b := feedback.NewBuilder()
	for u := range 400 {
		for k := range 6 {
			b.Add(cftest.Name("u", u), cftest.Name("i", (u*7+k*3)%30), 1, int64(u*10_000+k*60))
		}
	}
	d := b.Build()
	o := Options{Protocol: eval.Protocol{K: 1, Seen: true, Cut: eval.CutNext}}
	plan, err := Evaluate(t.Context(), d, o, nil)
	if err != nil {
		t.Fatal(err)
	}
	if plan.Algorithm != Blend {
		t.Fatal(plan.Choice)
	}
	s, err := Fit(t.Context(), d, plan, o, nil)
	if err != nil {
		t.Fatal(err)
	}
	var sc Scratch
	for i := range 30 {
		from, _ := d.Index(cftest.Name("i", i))
		to, _ := d.Index(cftest.Name("i", (i+3)%30))
		scored := s.Score([]feedback.Signal{{Item: from, Weight: 1, At: 1e9}}, &sc)
		sparse.ByScore(scored)
		if scored[0].Item != to {
			t.Fatalf("after %d comes %d, want %d", from, scored[0].Item, to)
		}
	}
	t.Log(plan.Choice)
}

// TestScoreItemsOfAnyItems: those that are not known are left out, and those that repeat are
// ranked as if they came once.
func TestScoreItemsOfAnyItems(t *testing.T) {
	history := []feedback.Signal{{Item: 7, Weight: 1}, {Item: 3, Weight: 1, At: 10}}
	for _, s := range []*Snapshot{blended(t, cftest.Walks(5, 60, 40, 40)), trained(t, ALS)} {
		var sc Scratch
		want := slices.Clone(s.ScoreItems(history, []int32{3, 5, 7}, &sc))
		got := s.ScoreItems(history, []int32{-1, 3, 1 << 30, 5, int32(s.Items()), 7}, &sc)
		if !slices.Equal(got, want) || len(got) != 3 {
			t.Errorf("%s: %v, want %v", s.algorithm, got, want)
		}
		for _, c := range s.ScoreItems(history, []int32{3, 5, 3, 7, 7}, &sc) {
			if !slices.Contains(want, c) {
				t.Errorf("%s: %v where items repeat, want of %v", s.algorithm, c, want)
			}
		}
	}
}
