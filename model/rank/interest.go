package rank

import (
	"math"
	"slices"
	"time"

	"github.com/attune-shop/attune/model/cf"
	"github.com/attune-shop/attune/model/cf/feedback"
	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/model/feature"
)

const (
	// halfLife is the age at which an event counts half, measured from the visitor's newest.
	halfLife = 30 * 24 * time.Hour
	// halfPlace is the number of newer items after which an event counts half.
	halfPlace = 40
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
	kept  int   // its place among the interests, -1 where nothing of it is left
	row   int32 // the item's number in the model; -1 where it is not known, or not looked up
}

// learning is the memory of reading one visitor's interests.
type learning struct {
	interactions []feature.Interaction
	all, kept    []interest
	places       map[string]int32
	order        []strength
	signals      []feedback.Signal
	signalOf     []int
}

// strength is the weight of an interest and its place in a list.
type strength struct {
	weight float64
	place  int32
}

// interactions appends the visitor's, newest first: those of the request, then those on record.
func (v *Visitor) interactions(all []feature.Interaction, now time.Time) []feature.Interaction {
	for _, x := range slices.Backward(v.Session) {
		if x.At.IsZero() {
			x.At = now
		}
		all = append(all, x)
	}
	if v.State == nil {
		return all
	}
	return v.State.AppendRecent(all)
}

// interests adds up what the visitor's interactions, newest first, say of each item:
//
//	weight(item) = sum over its events of w(type) 2^(-age/halfLife) 2^(-place/halfPlace)
//
// at most maxRepeats times the strongest of them. An event of a type with a negative
// weight takes interest away; items left without any are not in the result, which has the
// strongest first and is valid until the next use of l.
func (l *learning) interests(visitor *Visitor, weights feedback.Weights, now time.Time) []interest {
	l.interactions = visitor.interactions(l.interactions[:0], now)
	if len(l.interactions) == 0 {
		return nil
	}
	newest := l.interactions[0].At
	for i := range l.interactions {
		if at := l.interactions[i].At; at.After(newest) {
			newest = at
		}
	}
	if l.places == nil {
		l.places = map[string]int32{}
	}
	clear(l.places)
	l.all = l.all[:0]
	kind, base := event.Type(""), 0.0
	for n := range l.interactions {
		x := &l.interactions[n]
		if x.Type != kind { // most are of the type of the one before
			kind, base = x.Type, weights.Of(x.Type)
		}
		w := base
		if w == 0 || x.ItemID == "" {
			continue
		}
		place, known := l.places[x.ItemID]
		if !known {
			place = int32(len(l.all))
			l.places[x.ItemID] = place
			l.all = append(l.all, interest{itemID: x.ItemID, cause: x, row: -1})
		}
		// By e rather than by 2, for which the library has no assembly.
		w *= math.Exp(-math.Ln2 * (float64(newest.Sub(x.At))/float64(halfLife) + float64(place)/halfPlace))
		i := &l.all[place]
		i.weight += w
		if w > i.most {
			i.most, i.cause = w, x
		}
	}
	return l.strongestFirst()
}

// strongestFirst orders the interests that are left, those of equal weight newest first.
func (l *learning) strongestFirst() []interest {
	l.order, l.kept = l.order[:0], l.kept[:0]
	for place := range l.all {
		i := &l.all[place]
		if i.weight = min(i.weight, maxRepeats*i.most); i.weight > 0 {
			l.order = append(l.order, strength{i.weight, int32(place)})
		}
	}
	slices.SortFunc(l.order, func(a, b strength) int {
		switch {
		case a.weight > b.weight:
			return -1
		case a.weight < b.weight:
			return 1
		}
		return int(a.place - b.place)
	})
	for _, o := range l.order {
		l.kept = append(l.kept, l.all[o.place])
	}
	return l.kept
}

// learn reads the visitor's interests, and what the model is asked with: the newest events with
// items that it knows, oldest first. A model that is mere popularity has nothing to say of a
// visitor.
func (r *run) learn() {
	l := &r.scratch.learning
	r.interests = l.interests(r.visitor, r.shop.Weights, r.shop.Now)
	if r.shop.Model == nil || r.shop.Model.Algorithm() == cf.Popularity {
		return
	}
	for place := range l.all {
		x := &l.all[place]
		x.kept = -1
		if row, ok := r.shop.Model.Index(x.itemID); ok {
			x.row = row
		}
	}
	for i := range r.interests {
		x := &l.all[l.places[r.interests[i].itemID]]
		x.kept, r.interests[i].row = i, x.row
	}
	l.signals, l.signalOf = l.signals[:0], l.signalOf[:0]
	for _, x := range slices.Backward(l.interactions[:min(len(l.interactions), feedback.MaxHistory)]) {
		weight := r.shop.Weights.Of(x.Type)
		if weight == 0 || x.ItemID == "" {
			continue
		}
		if i := &l.all[l.places[x.ItemID]]; i.row >= 0 {
			l.signals = append(l.signals, feedback.Signal{Item: i.row, Weight: float32(weight), At: x.At.Unix()})
			l.signalOf = append(l.signalOf, i.kept)
		}
	}
	if len(r.interests) > 0 {
		r.signals, r.signalOf = l.signals, l.signalOf
	}
}
