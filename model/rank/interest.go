package rank

import (
	"cmp"
	"math"
	"slices"
	"time"

	"github.com/attune-shop/attune/model/cf"
	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/model/feature"
)

const (
	// halfLife is the age at which an event counts half, measured from the visitor's newest.
	halfLife = 30 * 24 * time.Hour
	// halfPlace is the number of newer items after which an event counts half.
	halfPlace = 40
	// maxSignals bounds the interests, the strongest ones, that the model is asked with: it
	// bounds a request's work, and what lies behind them counts less than a third.
	maxSignals = 64
	// maxRepeats is how many times its strongest event an item's interest may count.
	maxRepeats = 3
)

// interest is what a visitor's events with one item amount to.
type interest struct {
	itemID string
	weight float64
	// cause is the event that says the most, for reasons.
	cause *feature.Interaction
	most  float64
	place int32 // among the interests, newest first
}

// interactions are the visitor's, newest first: those of the request, then those on record.
func (v *Visitor) interactions(now time.Time) []feature.Interaction {
	var recent []feature.Interaction
	if v.State != nil {
		recent = v.State.Recent()
	}
	if len(v.Session) == 0 {
		return recent
	}
	all := make([]feature.Interaction, 0, len(v.Session)+len(recent))
	for _, x := range slices.Backward(v.Session) {
		if x.At.IsZero() {
			x.At = now
		}
		all = append(all, x)
	}
	return append(all, recent...)
}

// interestsOf adds up what the interactions, newest first, say of each item:
//
//	weight(item) = sum over its events of w(type) 2^(-age/halfLife) 2^(-place/halfPlace)
//
// at most maxRepeats times the strongest of them. An event of a type with a negative
// weight takes interest away; items left without any are not in the result. places is
// memory.
func interestsOf(all []feature.Interaction, weights cf.Weights, places map[string]int) []interest {
	if len(all) == 0 {
		return nil
	}
	newest := all[0].At
	for _, x := range all {
		if x.At.After(newest) {
			newest = x.At
		}
	}
	clear(places)
	out := make([]interest, 0, len(all))
	for n := range all {
		x := &all[n]
		w := weightOf(weights, x.Type)
		if w == 0 || x.ItemID == "" {
			continue
		}
		place, known := places[x.ItemID]
		if !known {
			place = len(out)
			places[x.ItemID] = place
			out = append(out, interest{itemID: x.ItemID, cause: x, place: int32(place)})
		}
		w *= math.Exp2(-float64(newest.Sub(x.At))/float64(halfLife) - float64(place)/halfPlace)
		i := &out[place]
		i.weight += w
		if w > i.most {
			i.most, i.cause = w, x
		}
	}
	kept := out[:0]
	for _, i := range out {
		i.weight = min(i.weight, maxRepeats*i.most)
		if i.weight > 0 {
			kept = append(kept, i)
		}
	}
	return kept
}

// weightOf is the entry of the type, cf.CustomWeight for a custom type without one.
func weightOf(weights cf.Weights, t event.Type) float64 {
	w, ok := weights[t]
	if !ok && t.Number() == 0 {
		return cf.CustomWeight
	}
	return w
}

// learn reads the visitor's interests, and those of them that the model knows. A model
// that is mere popularity has nothing to say of a visitor.
func (r *run) learn() {
	r.interests = interestsOf(r.visitor.interactions(r.shop.Now), r.shop.Weights, r.scratch.places)
	slices.SortFunc(r.interests, func(a, b interest) int {
		return cmp.Or(cmp.Compare(b.weight, a.weight), cmp.Compare(a.place, b.place))
	})
	if r.shop.Model == nil || r.shop.Model.Algorithm() == cf.Popularity {
		return
	}
	r.signals = make([]cf.Signal, 0, len(r.interests))
	r.signalOf = make([]int, 0, len(r.interests))
	for i, x := range r.interests {
		if len(r.signals) == maxSignals {
			break
		}
		if row, ok := r.shop.Model.Index(x.itemID); ok {
			r.signals = append(r.signals, cf.Signal{Item: row, Weight: float32(x.weight)})
			r.signalOf = append(r.signalOf, i)
		}
	}
}
