package likeness

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
)

const (
	// Least is how many members, and how many others, there must be who have an interest in items: half
	// of them are held out, and an AUC over 25 lies within a tenth or so.
	Least = 50
	// prior is how many users an item needs to count in full: the share among its users is drawn that
	// much towards that among everybody.
	prior = 20
	// maxItemBytes bounds what the ids and weights of a Profile take when stored.
	maxItemBytes = 100 << 10
	// weightBytes is what a weight takes beside its id, at most.
	weightBytes = 20
	// stepsApart is what part of a rank lies between two steps.
	stepsApart = 100
	// told is the number of items in a Report.
	told = 20
)

// Report says what a profile is worth, and what it goes by. What is measured was fitted on one half of
// members and others, and finds the members among the other half.
type Report struct {
	// Members and Others are all there are; the others are estimated where many.
	Members int64 `json:"members"`
	Others  int64 `json:"others"`
	// HeldOutMembers and HeldOutOthers are those it was measured on.
	HeldOutMembers int `json:"held_out_members"`
	HeldOutOthers  int `json:"held_out_others"`
	// Likeness is the chance that a member has a greater score than another user, Activity that one did
	// more, or less where that told members on the fitted half.
	Likeness Estimate `json:"likeness"`
	Activity Estimate `json:"activity"`
	// Better is the first less the second.
	Better Estimate `json:"better"`
	// Items are those that tell the most of who is alike.
	Items []Telling `json:"items"`
}

// Telling is an item that members care for more than others do.
type Telling struct {
	ItemID string  `json:"item_id"`
	Weight float32 `json:"weight"`
	// OfMembers and OfOthers are the shares of those with an interest in items who have one in this.
	OfMembers float64 `json:"of_members"`
	OfOthers  float64 `json:"of_others"`
}

// Learn returns the profile of all users, and what one of half of them is worth on the other half. The
// same users give the same. An error wraps ErrTooFew.
func (s *Samples) Learn() (*Profile, *Report, error) {
	members, others := s.members.ordered(), s.others.ordered()
	in, out := count(members), count(others)
	if in.users < Least || out.users < Least {
		return nil, nil, fmt.Errorf("%w: %.0f members and %.0f others have an interest in items; it takes %d of both", ErrTooFew, in.users, out.users, Least)
	}
	weights := weigh(in, out)
	p := &Profile{Items: weights.bounded(), Others: s.others.total()}
	p.Steps = steps(p, others, s.others.shift)
	r := measure(members, others)
	r.Members, r.Others = s.members.total(), p.Others
	for _, x := range weights {
		if x.Weight > 0 && len(r.Items) < told {
			r.Items = append(r.Items, x)
		}
	}
	return p, r, nil
}

// counted is how many users care for each item, and how many for any.
type counted struct {
	of    map[string]float64
	users float64
}

func count(samples []sample) counted {
	c := counted{of: map[string]float64{}}
	for i := range samples {
		if len(samples[i].interest) > 0 {
			c.users++
		}
		for _, liked := range samples[i].interest {
			c.of[liked.ItemID]++
		}
	}
	return c
}

// weights are items, those that tell the most first.
type weights []Telling

// weigh returns the weight of every item,
//
//	log((m + prior) / (M p + prior)) - log((o + prior) / (O p + prior)),
//
// where m of M members and o of O others care for it, and p of all of them: how much more often
// members do than is to be expected, less how much more often others do. The prior draws both ratios towards
// 1 where little is expected, as an item of one member tells little (DuMouchel 1999). An item tells
// as much as its weight moves the mean score of members from that of others. O(n log n) for n items.
func weigh(in, out counted) weights {
	all := make(weights, 0, len(out.of))
	for item := range union(in.of, out.of) {
		m, o := in.of[item], out.of[item]
		p := (m + o) / (in.users + out.users)
		w := math.Log((m+prior)/(in.users*p+prior)) - math.Log((o+prior)/(out.users*p+prior))
		all = append(all, Telling{ItemID: item, Weight: float32(w), OfMembers: m / in.users, OfOthers: o / out.users})
	}
	tells := func(x *Telling) float64 { return float64(x.Weight) * (x.OfMembers - x.OfOthers) }
	slices.SortFunc(all, func(a, b Telling) int {
		return cmp.Or(cmp.Compare(tells(&b), tells(&a)), cmp.Compare(a.ItemID, b.ItemID))
	})
	return all
}

func union(a, b map[string]float64) map[string]float64 {
	all := maps.Clone(a)
	maps.Copy(all, b)
	return all
}

// bounded returns as many as maxItemBytes have room for.
func (all weights) bounded() map[string]float32 {
	items, room := map[string]float32{}, maxItemBytes
	for _, x := range all {
		if room -= len(x.ItemID) + weightBytes; room < 0 {
			break
		}
		items[x.ItemID] = x.Weight
	}
	return items
}

// steps returns scores of the samples, each of which stands for 1<<shift users: every one of the greatest, then
// fewer and fewer.
func steps(p *Profile, samples []sample, shift uint) []Step {
	scores := make([]float64, len(samples))
	for i := range samples {
		scores[i] = p.Score(samples[i].interest)
	}
	slices.SortFunc(scores, func(a, b float64) int { return cmp.Compare(b, a) })
	var all []Step
	for above := 0; above < len(scores); {
		all = append(all, Step{Score: scores[above], Above: int64(above) << shift})
		above = nextScore(scores, above)
	}
	slices.Reverse(all)
	return all
}

// nextScore returns the first place of a score, in descending order, that is the next to tell after the one at a
// place: of those stepsApart of the rank further on, or else of the next lower one.
func nextScore(scores []float64, at int) int {
	next := min(at+max(1, at/stepsApart), len(scores)-1)
	for scores[next] != scores[at] && scores[next-1] == scores[next] {
		next--
	}
	for next < len(scores) && scores[next] == scores[at] {
		next++
	}
	return next
}

// measure fits on one half of members and others, and finds the members of the other half.
func measure(members, others []sample) *Report {
	fitted, held := halves(members)
	fittedOthers, heldOthers := halves(others)
	p := &Profile{Items: weigh(count(fitted), count(fittedOthers)).bounded()}
	score := func(x *sample) float64 { return p.Score(x.interest) }
	did := func(x *sample) float64 { return float64(x.events) }
	activity := did
	if auc(scored(fitted, did), scored(fittedOthers, did)) < .5 {
		activity = func(x *sample) float64 { return -did(x) }
	}
	r := &Report{HeldOutMembers: len(held), HeldOutOthers: len(heldOthers)}
	r.Likeness, r.Activity, r.Better = compare(
		scored(held, score), scored(heldOthers, score),
		scored(held, activity), scored(heldOthers, activity))
	return r
}

// halves parts users, who come in the order of a hash, into every other one.
func halves(samples []sample) (fitted, held []sample) {
	for i, x := range samples {
		if i%2 == 0 {
			fitted = append(fitted, x)
		} else {
			held = append(held, x)
		}
	}
	return fitted, held
}

func scored(samples []sample, score func(*sample) float64) []float64 {
	scores := make([]float64, len(samples))
	for i := range samples {
		scores[i] = score(&samples[i])
	}
	return scores
}
