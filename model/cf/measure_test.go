package cf

import (
	"context"
	"errors"
	"math"
	"reflect"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/attune-shop/attune/model/event"
)

// told is a ranker of ten items whose scores are given; 9 is the most popular, 0 the least.
type told []Candidate

func (r told) Items() int { return 10 }

func (r told) Scorer() Scorer { return r }

func (r told) Score([]Signal) []Candidate { return slices.Clone(r) }

func (r told) ScoreItems([]Signal, []int32) []Candidate { return slices.Clone(r) }

func (r told) Popular() []Candidate {
	var all []Candidate
	for i := int32(9); i >= 0; i-- {
		all = append(all, Candidate{Item: i, Score: float32(i)})
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
		"never what was seen":       {Case{History: []Signal{{Item: 7, Weight: 1}, {Item: 9, Weight: 1}}}, Protocol{K: 4}, []int32{2, 4, 8, 6}},
		"what was seen, if allowed": {Case{History: []Signal{{Item: 7, Weight: 1}}}, Protocol{K: 2, Seen: true}, []int32{7, 2}},
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
		if !near(m.Metrics[name], x, 1e-12) {
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
			if !near(got, want[i], 1e-12) || got < 0 || got > 1+1e-12 {
				t.Fatalf("%s is %g, want %g", listMetrics[i], got, want[i])
			}
		}
	})
}

func TestMeasureIsTheSameWhateverTheWorkers(t *testing.T) {
	d := shop(6, 300, 120, 4000)
	h := hold(d, Protocol{}, sample{users: 4000})
	s, err := Fit(t.Context(), d, Plan{Algorithm: ItemKNN}, Options{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	var first *Measurement
	for workers := range 5 {
		m, err := Measure(t.Context(), s, h.cases, Protocol{K: 10}, workers, nil)
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

// TestLog: a dataset tells all that was added, each user's in the order of History.
func TestLog(t *testing.T) {
	b := NewBuilder()
	added := []Interaction{{"a", "x", 2, 9}, {"b", "y", 1, 3}, {"b", "x", 1, 7}, {"b", "y", 5, 7}, {"b", "y", 5, 7}}
	for _, x := range slices.Backward(added) {
		b.Add(x.UserID, x.ItemID, x.Weight, x.At)
	}
	d := b.Build()
	if got := slices.Collect(d.Log()); !slices.Equal(got, added) {
		t.Errorf("%v, want %v", got, added)
	}
	for x := range d.Log() {
		if x != added[0] {
			t.Fatal(x)
		}
		break
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

func TestNewHistory(t *testing.T) {
	got := NewHistory([]Signal{{Item: 3, Weight: 1, At: 1}, {Item: -1, Weight: 1, At: 2}, {Item: 5, Weight: 2, At: 3}, {Item: 3, Weight: 4, At: 9}})
	if want := []Signal{{Item: 3, Weight: 1, At: 1}, {Item: 5, Weight: 2, At: 3}, {Item: 3, Weight: 4, At: 9}}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	var long []Signal
	for i := range int32(MaxHistory + 5) {
		long = append(long, Signal{Item: i, Weight: 1})
	}
	if got := NewHistory(long); len(got) != MaxHistory || got[0].Item != 5 {
		t.Errorf("%d signals from %v on", len(got), got[0])
	}
}

func TestDatasetHistory(t *testing.T) {
	b := NewBuilder()
	for _, x := range []struct {
		user, item string
		at         int64
	}{{"u", "b", 5}, {"u", "a", 7}, {"u", "c", 1}, {"u", "b", 9}, {"v", "d", 2}, {"w", "a", 3}} {
		b.Add(x.user, x.item, 1, x.at)
	}
	d := b.Build()
	history, items := d.History("u")
	if want := []Signal{{2, 1, 1}, {1, 1, 5}, {0, 1, 7}, {1, 1, 9}}; !slices.Equal(history, want) || !slices.Equal(items, []int32{0, 1, 2}) {
		t.Errorf("%v and %v, want %v", history, items, want)
	}
	if history, items := d.History("x"); history != nil || items != nil {
		t.Error("an unknown user did something")
	}
	if i, ok := d.Index("d"); i != 3 || !ok {
		t.Errorf("d is %d, %t", i, ok)
	}
}

func TestBootstrap(t *testing.T) {
	var a, b, same []float64
	for i := range 400 {
		a, b, same = append(a, float64(i%2)), append(b, float64(i%4/3)), append(same, .25)
	}
	x := Bootstrap(a, 1)
	// The mean .5 has a standard error of .5 / sqrt(400) = .025.
	if !near(x.Low, .5-1.96*.025, .01) || !near(x.High, .5+1.96*.025, .01) || x != Bootstrap(a, 1) || x == Bootstrap(a, 2) {
		t.Errorf("%v", x)
	}
	if x := Bootstrap(same, 1); x.Low != .25 || x.High != .25 {
		t.Errorf("of equal values: %v", x)
	}
	if x := BootstrapDifference(a, b, 1); x.Low <= .15 || x.High >= .35 {
		t.Errorf("difference of .25: %v", x)
	}
	if Bootstrap(nil, 1) != (Interval{}) {
		t.Error("an interval of nothing")
	}
}
