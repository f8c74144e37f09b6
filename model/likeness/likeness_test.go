package likeness

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/attune-shop/attune/model/cf/feedback"
	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/model/feature"
)

// did returns the state of who did something with each of some items, as in "view_item lamp".
func did(all ...string) *feature.State {
	s := &feature.State{}
	for n, text := range all {
		kind, item, _ := strings.Cut(text, " ")
		s.Fold(&event.Event{ID: fmt.Sprint(n), Type: event.Type(kind), ItemID: item, OccurredAt: time.Unix(int64(n), 0)})
	}
	return s
}

func TestInterest(t *testing.T) {
	weights := feedback.DefaultWeights()
	got := InterestOf(did("view_item lamp", "purchase sofa", "view_item lamp", "search", "refund rug"), weights)
	lamp, sofa := math.Log1p(2), math.Log1p(5)
	length := math.Hypot(lamp, sofa)
	want := Interest{{"lamp", lamp / length}, {"sofa", sofa / length}}
	if len(got) != 2 || got[0].ItemID != "lamp" || got[1].ItemID != "sofa" || math.Abs(got[0].Part-want[0].Part)+math.Abs(got[1].Part-want[1].Part) > 1e-12 {
		t.Errorf("%v, want %v", got, want)
	}
	if none := InterestOf(did("search"), weights); len(none) != 0 {
		t.Errorf("of a search: %v", none)
	}
}

// shop adds users: the first members, who care for lamps, and others, who care for sofas, as well as for anything.
func shop(s *Samples, members int, order []int) {
	for _, n := range order {
		random := rand.New(rand.NewPCG(1, uint64(n)))
		of := "sofa"
		if n < members {
			of = "lamp"
		}
		var liked []string
		for range 4 {
			liked = append(liked, fmt.Sprint("view_item ", of, "-", random.IntN(8)), fmt.Sprint("view_item any-", random.IntN(20)))
		}
		state := did(liked...)
		s.Add(fmt.Sprint("user-", n), InterestOf(state, feedback.DefaultWeights()), int64(1+random.IntN(9)), n < members)
	}
}

func upTo(n int) []int {
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	return all
}

// TestLearn finds who cares for lamps, whatever the order in which users come, and however often.
func TestLearn(t *testing.T) {
	var s Samples
	shop(&s, 60, upTo(360))
	p, r, err := s.Learn()
	if err != nil {
		t.Fatal(err)
	}
	weights := feedback.DefaultWeights()
	if p.Items["lamp-1"] < .5 || p.Items["sofa-1"] > -.5 || math.Abs(float64(p.Items["any-1"])) > .5 || p.Others != 300 {
		t.Errorf("learned %+v", p)
	}
	if like := p.Rank(InterestOf(did("view_item lamp-2"), weights)); like != 0 || p.Share(like) != 1 {
		t.Errorf("who cares for nothing but lamps is number %d among others", like)
	}
	if unlike := p.Rank(InterestOf(did("view_item sofa-1", "view_item sofa-2", "view_item sofa-3", "view_item sofa-4", "view_item sofa-5"), weights)); p.Share(unlike) > .1 {
		t.Errorf("who cares for nothing but sofas is number %d", unlike)
	}
	if r.Members != 60 || r.Others != 300 || r.HeldOutMembers != 30 || r.HeldOutOthers != 150 ||
		r.Likeness.Value < .99 || r.Activity.Value > .7 || r.Better.Low < .2 || len(r.Items) == 0 || !strings.HasPrefix(r.Items[0].ItemID, "lamp") {
		t.Errorf("reached %+v", r)
	}
	var again Samples
	order := append(rand.New(rand.NewPCG(2, 2)).Perm(360), 7, 200)
	shop(&again, 60, order)
	if q, r2, err := again.Learn(); err != nil || !reflect.DeepEqual(p, q) || !reflect.DeepEqual(r, r2) {
		t.Errorf("in another order: %+v: %v", r2, err)
	}
	text, err := json.Marshal(p)
	var read Profile
	if err == nil {
		err = json.Unmarshal(text, &read)
	}
	if err != nil || !reflect.DeepEqual(p, &read) {
		t.Errorf("stored and read: %v", err)
	}
}

// TestWeight holds the weight of an item to the formula.
func TestWeight(t *testing.T) {
	in := counted{of: map[string]float64{"lamp": 40}, users: 100}
	out := counted{of: map[string]float64{"lamp": 60, "sofa": 300}, users: 900}
	got := weigh(in, out)
	lamp := math.Log(60./30) - math.Log(80./110)
	sofa := math.Log(20./50) - math.Log(320./290)
	if len(got) != 2 || got[0].ItemID != "sofa" || got[0].Weight != float32(sofa) || got[1].Weight != float32(lamp) || got[1].OfMembers != .4 || got[1].OfOthers != 60./900 {
		t.Errorf("%+v, want %v and %v", got, lamp, sofa)
	}
}

// TestRank holds the rank of everybody to that by counting: it is no less, and 1 % more at most.
func TestRank(t *testing.T) {
	p := &Profile{Items: map[string]float32{"a": 1, "b": .5, "c": -1}}
	for _, users := range []int{1, 90, 5000} {
		random := rand.New(rand.NewPCG(3, uint64(users)))
		samples := make([]sample, users)
		for i := range samples {
			part := float64(random.IntN(users)) / float64(users)
			if random.IntN(3) == 0 { // one in three has a score of many
				part = float64(random.IntN(3))
			}
			samples[i].interest = Interest{{[]string{"a", "b", "c"}[random.IntN(3)], part}}
		}
		for _, shift := range []uint{0, 2} {
			p.Others = int64(users) << shift
			p.Steps = steps(p, samples, shift)
			for i := range samples {
				score, atLeast := p.Score(samples[i].interest), 0
				for j := range samples {
					if p.Score(samples[j].interest) >= score {
						atLeast++
					}
				}
				want := float64(atLeast << shift)
				if got := float64(p.Rank(samples[i].interest)); got < want || got > want+want/stepsApart+float64(int(1)<<shift)*.99 {
					t.Fatalf("%d users, shift %d: rank %v, want %v", users, shift, got, want)
				}
			}
		}
	}
}

// TestAUC holds the areas and their intervals to the sums over pairs of which they are made.
func TestAUC(t *testing.T) {
	random := rand.New(rand.NewPCG(4, 4))
	draw := func(n int, more float64) []float64 {
		all := make([]float64, n)
		for i := range all {
			all[i] = math.Round(4 * (random.NormFloat64() + more))
		}
		return all
	}
	const m, n = 40, 70
	ins, outs := [2][]float64{draw(m, 1), draw(m, .2)}, [2][]float64{draw(n, 0), draw(n, 0)}
	wins := func(s, i, j int) float64 {
		switch x, y := ins[s][i], outs[s][j]; {
		case x > y:
			return 1
		case x == y:
			return .5
		}
		return 0
	}
	var area [2]float64
	for s := range area {
		for i := range m {
			for j := range n {
				area[s] += wins(s, i, j) / m / n
			}
		}
	}
	covariance := func(a, b int) float64 {
		ofMembers, ofOthers := 0., 0.
		for i := range m {
			x, y := 0., 0.
			for j := range n {
				x, y = x+wins(a, i, j)/n, y+wins(b, i, j)/n
			}
			ofMembers += (x - area[a]) * (y - area[b]) / (m - 1)
		}
		for j := range n {
			x, y := 0., 0.
			for i := range m {
				x, y = x+wins(a, i, j)/m, y+wins(b, i, j)/m
			}
			ofOthers += (x - area[a]) * (y - area[b]) / (n - 1)
		}
		return ofMembers/m + ofOthers/n
	}
	first, second, less := compare(ins[0], outs[0], ins[1], outs[1])
	for _, tc := range []struct {
		got             Estimate
		value, variance float64
	}{
		{first, area[0], covariance(0, 0)},
		{second, area[1], covariance(1, 1)},
		{less, area[0] - area[1], covariance(0, 0) + covariance(1, 1) - 2*covariance(0, 1)},
	} {
		spread := 1.959964 * math.Sqrt(tc.variance)
		if math.Abs(tc.got.Value-tc.value)+math.Abs(tc.got.Low-tc.value+spread)+math.Abs(tc.got.High-tc.value-spread) > 1e-9 {
			t.Errorf("%+v, want %v and %v on either side", tc.got, tc.value, spread)
		}
	}
	if none := auc(nil, draw(3, 0)); none != .5 {
		t.Errorf("of nobody: %v", none)
	}
}

func TestTooFew(t *testing.T) {
	var s Samples
	shop(&s, Least-1, upTo(349))
	for n := range 30 { // members without an interest tell nothing
		s.Add(fmt.Sprint("idle-", n), nil, 3, true)
	}
	if _, _, err := s.Learn(); !errors.Is(err, ErrTooFew) || !strings.Contains(err.Error(), "49 members and 300 others") {
		t.Errorf("of too few members: %v", err)
	}
	var all Samples
	shop(&all, 300, upTo(300))
	if _, _, err := all.Learn(); !errors.Is(err, ErrTooFew) {
		t.Errorf("of everybody: %v", err)
	}
}

// TestManySamples: of too many users a share is kept that does not depend on their order.
func TestManySamples(t *testing.T) {
	var one, other drawn
	const users = 2*maxSampled + 100
	add := func(to *drawn, n int) {
		if draw := uint64(n) * 0x9e3779b97f4a7c15; to.keeps(draw) {
			to.add(sample{draw: draw, events: 1})
		}
	}
	for n := range users {
		add(&one, n)
		add(&other, users-1-n)
	}
	if !reflect.DeepEqual(one.ordered(), other.ordered()) || len(one.all) > maxSampled || len(one.all) < maxSampled/2-1000 {
		t.Errorf("%d and %d are kept", len(one.all), len(other.all))
	}
	if got := one.total(); math.Abs(float64(got)-users) > users/50 {
		t.Errorf("%d of %d users", got, users)
	}
	var wide drawn
	for n := range 100 {
		wide.add(sample{draw: uint64(n) * 0x9e3779b97f4a7c15, interest: make(Interest, maxParts/50)})
	}
	if wide.parts > maxParts || wide.parts != len(wide.all)*maxParts/50 {
		t.Errorf("%d items of %d users are kept", wide.parts, len(wide.all))
	}
}
