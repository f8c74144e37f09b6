package eval

import (
	"context"
	"errors"
	"math"
	"reflect"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/attune-shop/attune/model/cf/cftest"
	"github.com/attune-shop/attune/model/cf/feedback"
	"github.com/attune-shop/attune/model/cf/sparse"
	"github.com/attune-shop/attune/model/event"
)

// told is a ranker of ten items whose scores are given; 9 is the most popular, 0 the least.
type told []sparse.Candidate

func (r told) Items() int { return 10 }

func (r told) Scorer() Scorer { return r }

func (r told) Score([]feedback.Signal) []sparse.Candidate { return slices.Clone(r) }

func (r told) ScoreItems([]feedback.Signal, []int32) []sparse.Candidate { return slices.Clone(r) }

func (r told) Popular() []sparse.Candidate {
	var all []sparse.Candidate
	for i := int32(9); i >= 0; i-- {
		all = append(all, sparse.Candidate{Item: i, Score: float32(i)})
	}
	return all
}

func TestLists(t *testing.T) {
	scores := told{{Item: 4, Score: 1}, {Item: 2, Score: 1}, {Item: 7, Score: 3}, {Item: 8, Score: 0}, {Item: 1, Score: -2}}
	for name, test := range map[string]struct {
		c    Case
		p    Protocol
		want []int32
	}{
		"by score, then number":     {Case{}, Protocol{K: 2}, []int32{7, 2}},
		"filled with what is sold":  {Case{}, Protocol{K: 5}, []int32{7, 2, 4, 9, 8}},
		"never what was seen":       {Case{History: []feedback.Signal{{Item: 7, Weight: 1}, {Item: 9, Weight: 1}}}, Protocol{K: 4}, []int32{2, 4, 8, 6}},
		"what was seen, if allowed": {Case{History: []feedback.Signal{{Item: 7, Weight: 1}}}, Protocol{K: 2, Seen: true}, []int32{7, 2}},
		"never what is hidden":      {Case{Hidden: []int32{2, 9, 99, -1}}, Protocol{K: 4, Seen: true}, []int32{7, 4, 8, 6}},
		"candidates only":           {Case{Candidates: []int32{3, 4, 8, 5, -1, 12}}, Protocol{K: 3}, []int32{4, 8, 5}},
		"no more than there are":    {Case{Candidates: []int32{3, 2}, Hidden: []int32{3}}, Protocol{K: 3}, []int32{2}},
		"no candidates":             {Case{Candidates: []int32{}}, Protocol{K: 3}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLister(scores, test.p)
			for range 2 {
				if l.rank(&test.c); !slices.Equal(l.list, test.want) {
					t.Fatalf("%v, want %v", l.list, test.want)
				}
			}
		})
	}
}

// TestMeasureByHand: the list is 7, 2, 4 for all.
func TestMeasureByHand(t *testing.T) {
	scores := told{{Item: 4, Score: 1}, {Item: 2, Score: 2}, {Item: 7, Score: 3}}
	cases := []Case{
		{Relevant: []int32{2, 4, 5}, Unknown: 1}, // hits at places 2 and 3 of four relevant items
		{Relevant: []int32{7}},                   // a hit at place 1
		{Unknown: 1},                             // nothing that could be hit
		{Relevant: []int32{0}},                   // a miss
	}
	m, err := Measure(t.Context(), scores, cases, Protocol{K: 3}, 2, nil)
	if err != nil {
		t.Fatal(err)
	}
	discount := func(place float64) float64 { return math.Ln2 / math.Log(place+1) }
	want := map[string]float64{
		"ndcg@3":      ((discount(2)+discount(3))/(1+discount(2)+discount(3)) + 1) / 4,
		"recall@3":    (2./4 + 1) / 4,
		"precision@3": (2./3 + 1./3) / 4,
		"map@3":       ((1./2+2./3)/4 + 1) / 4,
		"hit_rate@3":  2. / 4,
		"mrr@3":       (1./2 + 1) / 4,
		"coverage@3":  3. / 10,
	}
	if len(m.Metrics) != len(want) {
		t.Errorf("%v", m.Metrics)
	}
	for name, x := range want {
		if !cftest.Near(m.Metrics[name], x, 1e-12) {
			t.Errorf("%s is %g, want %g", name, m.Metrics[name], x)
		}
	}
	if got := m.Values(MRR); !slices.Equal(got, []float64{.5, 1, 0, 0}) || m.Values(Coverage) != nil {
		t.Errorf("mrr of each: %v", got)
	}
}

// TestMetricsAgainstTheirDefinitions checks against formulas that go place by place.
func TestMetricsAgainstTheirDefinitions(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		k := rapid.IntRange(1, 15).Draw(t, "k")
		hit := rapid.SliceOfN(rapid.Bool(), 0, k).Draw(t, "hit")
		var hits []int
		var dcg, ideal, precision, first float64
		for place, is := range hit {
			if !is {
				continue
			}
			hits = append(hits, place)
			dcg += math.Ln2 / math.Log(float64(place)+2)
			precision += float64(len(hits)) / float64(place+1)
			if first == 0 {
				first = 1 / float64(place+1)
			}
		}
		relevant := len(hits) + rapid.IntRange(0, 10).Draw(t, "missed")
		for place := range k {
			if place < relevant {
				ideal += math.Ln2 / math.Log(float64(place)+2)
			}
		}
		size, found := math.Max(1, float64(relevant)), float64(len(hits))
		want := []float64{dcg / math.Max(ideal, 1e-9), found / size, found / float64(k), precision / size, math.Min(1, found), first}
		for i, got := range measureList(hits, relevant, k) {
			if !cftest.Near(got, want[i], 1e-12) || got < 0 || got > 1+1e-12 {
				t.Fatalf("%s is %g, want %g", listMetrics[i], got, want[i])
			}
		}
	})
}

// TestMeasureLists: lists that were made elsewhere reach what the same lists of a ranker do.
func TestMeasureLists(t *testing.T) {
	scores := told{{Item: 4, Score: 1}, {Item: 2, Score: 1}, {Item: 7, Score: 3}}
	cases := []Case{{Relevant: []int32{2, 9}, Unknown: 1}, {Hidden: []int32{7}, Relevant: []int32{7}}, {Relevant: []int32{1, 7}}}
	p := Protocol{K: 3}
	want, err := Measure(t.Context(), scores, cases, p, 1, nil)
	if err != nil {
		t.Fatal(err)
	}
	lists := [][]int32{{7, 2, 4}, {2, 4, 9, 7}, {7, 2, 4}}
	got, err := MeasureLists(lists, cases, p, 10)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%v, %v; want %v", got, err, want)
	}
	if got, err = MeasureLists([][]int32{{-1, 12, 9}, nil, {}}, cases, p, 10); err != nil || got.Metrics["recall@3"] != 1./9 || got.Metrics["coverage@3"] != .1 {
		t.Errorf("%v, %v", got, err)
	}
	var invalid *event.InvalidError
	if _, err := MeasureLists(lists[1:], cases, p, 10); !errors.As(err, &invalid) {
		t.Error(err)
	}
	if _, err := MeasureLists(lists, cases, Protocol{}, 10); !errors.As(err, &invalid) {
		t.Error(err)
	}
}

func TestMeasureRefuses(t *testing.T) {
	var invalid *event.InvalidError
	if _, err := Measure(t.Context(), told{}, nil, Protocol{}, 1, nil); !errors.As(err, &invalid) || invalid.Violations[0].Field != "k" {
		t.Errorf("no length: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Measure(ctx, told{}, make([]Case, 1000), Protocol{K: 1}, 2, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}
