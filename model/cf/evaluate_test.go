package cf

import (
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/attune-shop/attune/model/cf/cftest"
	"github.com/attune-shop/attune/model/cf/eval"
	"github.com/attune-shop/attune/model/cf/feedback"
	"github.com/attune-shop/attune/model/dense"
)

// TestAutoFindsStructure: two tastes, which popularity cannot tell apart.
func TestAutoFindsStructure(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	b := feedback.NewBuilder()
	for u := range 200 {
		for k := range 20 {
			b.Add(cftest.Name("u", u), cftest.Name("i", u%2*50+random.IntN(50)), 1, int64(k*1000+u))
		}
	}
	_, evaluations, choice, err := train(t.Context(), b.Build(), Options{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	by := map[string]float64{}
	best := ""
	for _, e := range evaluations {
		by[e.Algorithm] = e.Metrics[eval.NDCG.At(10)]
		if best == "" || by[e.Algorithm] > by[best] {
			best = e.Algorithm
		}
		for metric, x := range e.Metrics {
			if !(x >= 0 && x <= 1) {
				t.Errorf("%s of %s is %g", metric, e.Algorithm, x)
			}
		}
	}
	if !strings.Contains(choice, best) || by[best] <= by[Popularity] {
		t.Fatalf("%v: %s", by, choice)
	}
	t.Log(choice)
}

// TestNamesDoNotMatter holds the same data under other ids to the same choice and, but for what sums
// in another order round to, the same figures.
func TestNamesDoNotMatter(t *testing.T) {
	walks := cftest.Walks(11, 250, 90, 40).Entries()
	named, renamed := feedback.NewBuilder(), feedback.NewBuilder()
	for place, k := range rand.New(rand.NewPCG(5, 0)).Perm(len(walks)) {
		x := walks[k]
		at := int64(x.At)*int64(len(walks)) + int64(place) // no two at the same time
		named.Add(cftest.Name("u", int(x.User)), cftest.Name("i", int(x.Item)), x.Weight, at)
		renamed.Add(cftest.Name("u", int(x.User)*7919%17576), cftest.Name("i", int(x.Item)*7919%17576), x.Weight, at)
	}
	d, other := named.Build(), renamed.Build()
	for _, p := range []eval.Protocol{{Cut: eval.CutTime, K: 10}, {Cut: eval.CutRandom, K: 10}, {Cut: eval.CutLast, K: 10}, {Cut: eval.CutNext, K: 10, Seen: true}} {
		o := Options{Protocol: p, Factors: 8, Iterations: 4}
		was, err := Evaluate(t.Context(), d, o, nil)
		if err != nil {
			t.Fatal(err)
		}
		is, err := Evaluate(t.Context(), other, o, nil)
		if err != nil {
			t.Fatal(err)
		}
		if was.Algorithm != is.Algorithm || was.Settings.String() != is.Settings.String() || len(was.Evaluations) < 5 {
			t.Fatalf("%+v\n%s\n%s", p, was.Choice, is.Choice)
		}
		for k, e := range was.Evaluations {
			for name, x := range e.Metrics {
				if y := is.Evaluations[k].Metrics[name]; math.Abs(x-y) > .02 {
					t.Errorf("%+v: %s of %q is %.4f, and %.4f under other ids", p, name, e.Algorithm, x, y)
				}
			}
		}
	}
}

// TestLargeCatalogIsScoredByCandidates compares with scoring every item.
func TestLargeCatalogIsScoredByCandidates(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 0))
	b := feedback.NewBuilder()
	for u := range 300 {
		for range 90 {
			b.Add(cftest.Name("u", u), cftest.Name("i", (u%10)*1400+random.IntN(1400)), 1, 0)
		}
	}
	s, err := Fit(t.Context(), b.Build(), Plan{Algorithm: ALS, Settings: Settings{Lambda: 4}}, Options{Factors: 12, Iterations: 6}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if s.Items() <= FullScanItems {
		t.Fatalf("%d items are no large catalog", s.Items())
	}
	history := []feedback.Signal{{Item: 10, Weight: 1}, {Item: 20, Weight: 1}, {Item: 30, Weight: 2}}
	var sc Scratch
	got := slices.Clone(s.Score(history, &sc))
	seen := map[int32]bool{}
	for _, c := range got {
		if seen[c.Item] {
			t.Fatalf("item %d twice", c.Item)
		}
		seen[c.Item] = true
		if want := dense.Dot(sc.fold.user, s.factor(c.Item)); c.Score != want {
			t.Fatalf("item %d scores %g, want %g", c.Item, c.Score, want)
		}
	}
	if len(got) < factorPopular || len(got) > factorCandidates+factorPopular {
		t.Fatalf("%d candidates", len(got))
	}
	for _, x := range history {
		for _, c := range s.Similar(x.Item, factorNear) {
			if !seen[c.Item] {
				t.Fatalf("neighbour %d is no candidate", c.Item)
			}
		}
	}
}

// TestFitOfABlendThatWasChosenOnOtherTimes: most of the past has times of its own, and most of all
// the data has not, as after an import.
func TestFitOfABlendThatWasChosenOnOtherTimes(t *testing.T) {
	b := feedback.NewBuilder()
	for u := range 400 {
		for k := range 6 {
			b.Add(cftest.Name("u", u), cftest.Name("i", (u*7+k*3)%30), 1, int64(u*10_000+k*60))
		}
	}
	for u := range 500 {
		b.Add(cftest.Name("w", u), cftest.Name("i", u%30), 1, 9_000_000)
		b.Add(cftest.Name("w", u), cftest.Name("i", (u+1)%30), 1, 9_000_000)
	}
	d := b.Build()
	o := Options{Algorithm: Blend, Protocol: eval.Protocol{K: 1, Seen: true, Cut: eval.CutNext}}
	plan, err := Evaluate(t.Context(), d, o, nil)
	if err != nil {
		t.Fatal(err)
	}
	s, err := Fit(t.Context(), d, plan, o, nil)
	if err != nil {
		t.Fatal(err)
	}
	if d.Dated() || s.blend.sequence == nil {
		t.Fatal("the test is for a sequence that was chosen on times that the whole has not")
	}
}

// TestEASEIsTriedWhereItCanBeFitted: the past has fewer items than all the data.
func TestEASEIsTriedWhereItCanBeFitted(t *testing.T) {
	b := feedback.NewBuilder()
	for u := range 60 {
		for k := range 6 {
			b.Add(cftest.Name("u", u), cftest.Name("i", (u*7+k*3)%30), 1, int64(k*10_000+u))
		}
	}
	for k := range 20 {
		b.Add("late", cftest.Name("late", k), 1, 80_000)
	}
	d, o := b.Build(), Options{EASEMaxItems: 30}
	plan, err := Evaluate(t.Context(), d, o, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range plan.Evaluations {
		if e.Algorithm == EASE {
			t.Errorf("%q was tried, which cannot be fitted", EASE)
		}
	}
	if _, err := Fit(t.Context(), d, plan, o, nil); err != nil {
		t.Error(err)
	}
}

// TestFaintAndHugeWeights: whatever the weights and however long the lists, something finite is
// chosen.
func TestFaintAndHugeWeights(t *testing.T) {
	for what, weights := range map[string][2]float32{
		"faint": {1e-44, 1e-44}, "faint and huge": {1e-44, math.MaxFloat32}, "of an item": {1, 1e-44},
	} {
		b := feedback.NewBuilder()
		for k := range 900 {
			b.Add(cftest.Name("u", k%40), cftest.Name("i", (k*k+k/7)%31), weights[0], int64(k)*1000)
			b.Add(cftest.Name("v", k), "one", weights[1], int64(k)*1000)
		}
		d := b.Build()
		for _, algorithm := range []string{EASE, Spectral, ALS, ItemKNN, Blend} {
			o := Options{Algorithm: algorithm, Factors: 4, Iterations: 2, Neighbours: math.MaxInt, RowItems: math.MaxInt, Protocol: eval.Protocol{K: math.MaxInt}}
			plan, err := Evaluate(t.Context(), d, o, nil)
			if err != nil {
				t.Fatal(what, algorithm, err)
			}
			s, err := Fit(t.Context(), d, plan, o, nil)
			if err != nil {
				t.Fatal(what, algorithm, err)
			}
			if !finite(s.linear.Values) || !finite(s.factors.Data) || !finite(s.similar.Values) {
				t.Errorf("%s, %s: not finite", what, algorithm)
			}
		}
	}
}

func TestMeasureIsTheSameWhateverTheWorkers(t *testing.T) {
	d := cftest.Shop(6, 300, 120, 4000)
	h := eval.Hold(d, eval.Protocol{}, eval.Sample{Users: 4000})
	s, err := Fit(t.Context(), d, Plan{Algorithm: ItemKNN}, Options{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	var first *eval.Measurement
	for workers := range 5 {
		m, err := eval.Measure(t.Context(), s, h.Cases, eval.Protocol{K: 10}, workers, nil)
		if err != nil {
			t.Fatal(err)
		}
		if first == nil {
			first = m
		}
		if !reflect.DeepEqual(m, first) {
			t.Fatalf("other figures with %d workers", workers)
		}
	}
}
