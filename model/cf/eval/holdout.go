package eval

import (
	"slices"

	"github.com/attune-shop/attune/model/cf/feedback"
)

const (
	// minHeldOut is the number of users below which nothing is evaluated.
	minHeldOut = 10
	// enoughHeldOut is the number of users at which no earlier time is looked for.
	enoughHeldOut = 200
	// randomShare is the share of a user's items that CutRandom holds out.
	randomShare = .2
	// nextShare is the share of all interactions, the last ones, whose visits CutNext holds out.
	nextShare = .1
)

// pastShares are the shares of all interactions that may be the past, in the order in
// which they are tried.
var pastShares = []float64{.9, .8, .7, .5}

// Holdout is a dataset cut in two: what models may learn from, and what they are to foretell.
type Holdout struct {
	Past  *feedback.Dataset
	Cases []Case
	// About says what is foretold, as in "what 900 users chose last".
	About string
}

// Sample says how many cases are drawn, by a seed: of so many users at most, or, where each click has
// its list (CutNext), of so many clicks.
type Sample struct {
	Users, Clicks int
	Seed          int64
}

// Hold cuts a dataset as the protocol says; nil where too few users are left to ask for.
func Hold(d *feedback.Dataset, p Protocol, of Sample) *Holdout {
	var h *Holdout
	switch p.Cut {
	case CutRandom:
		h = holdRandom(d, of)
	case CutLast:
		h = holdLast(d, of)
	case CutNext:
		h = holdNext(d, of)
	default:
		h = holdTime(d, of)
	}
	if h == nil || len(h.Cases) < minHeldOut {
		return nil
	}
	return h
}

// times are those of all interactions, in order.
type times []uint32

func timesOf(d *feedback.Dataset) times {
	all := make(times, len(d.Entries()))
	for i, x := range d.Entries() {
		all[i] = x.At
	}
	slices.Sort(all)
	return all
}

// at returns the time before which a share of the interactions are.
func (t times) at(share float64) uint32 { return t[min(len(t)-1, int(share*float64(len(t))))] }

// holdTime cuts at the latest of a few times after which enough users chose something new, or
// at the one with the most of them.
func holdTime(d *feedback.Dataset, of Sample) *Holdout {
	times := timesOf(d)
	var best *choosers
	for _, share := range pastShares {
		found := choosersAfter(d, times.at(share))
		if best == nil || len(found.users) > len(best.users) {
			best = found
		}
		if len(best.users) >= enoughHeldOut {
			break
		}
	}
	h := &Holdout{Past: d.Keep(func(x feedback.Entry) bool { return x.At < best.cut }), About: "what %d users chose last"}
	m := d.Marks()
	for _, k := range feedback.Draw(len(best.users), of.Users, of.Seed, func(k int) uint64 { return m.Users[best.users[k]] }) {
		h.ask(best.users[k], best.relevant[k])
	}
	return h
}

// ask adds the case of a user who went on to choose some items, in order, of those that the
// past knows; the user's own items of the past are hidden.
func (h *Holdout) ask(user int32, relevant []int32) {
	history, items := h.Past.HistoryOf(user)
	c := Case{History: history, Hidden: items}
	for _, item := range relevant {
		if users, _ := h.Past.ByItem().Row(item); len(users) > 0 {
			c.Relevant = append(c.Relevant, item)
		}
	}
	if len(c.Relevant) > 0 && len(items) > 0 {
		h.Cases = append(h.Cases, c)
	}
}

// choosers are who was there before a time and chose new items after it.
type choosers struct {
	// cut is the first second that is held out.
	cut   uint32
	users []int32
	// relevant are what each of them chose, in order.
	relevant [][]int32
}

// choosersAfter finds the users with interactions before the time, and what they first chose at it or
// later.
func choosersAfter(d *feedback.Dataset, cut uint32) *choosers {
	a := &choosers{cut: cut}
	for i := 0; i < len(d.Entries()); {
		user := d.Entries()[i].User
		before := false
		var relevant []int32
		for i < len(d.Entries()) && d.Entries()[i].User == user {
			item, first := d.Entries()[i].Item, d.Entries()[i].At
			for i < len(d.Entries()) && d.Entries()[i].User == user && d.Entries()[i].Item == item {
				i++
			}
			if first < cut {
				before = true
			} else {
				relevant = append(relevant, item)
			}
		}
		if before && len(relevant) > 0 {
			a.users, a.relevant = append(a.users, user), append(a.relevant, relevant)
		}
	}
	return a
}

// held are, by user, the items that are held out, in order.
type held map[int32][]int32

// without asks each user of those for the items that are held out, from all that is not.
func without(d *feedback.Dataset, users []int, gone held, about string) *Holdout {
	h := &Holdout{About: about}
	h.Past = d.Keep(func(x feedback.Entry) bool {
		_, out := slices.BinarySearch(gone[x.User], x.Item)
		return !out
	})
	for _, user := range users {
		if items := gone[int32(user)]; len(items) > 0 {
			h.ask(int32(user), items)
		}
	}
	return h
}

// holdRandom holds out some of the items of some users, two at least being left.
func holdRandom(d *feedback.Dataset, of Sample) *Holdout {
	m := d.Marks()
	users, gone := drawUsers(m, of), held{}
	for _, user := range users {
		columns, _ := d.ByUser().Row(int32(user))
		n := min(max(1, int(randomShare*float64(len(columns))+.5)), len(columns)-2)
		if n < 1 {
			continue
		}
		var items []int32
		for _, k := range feedback.Draw(len(columns), n, of.Seed, func(k int) uint64 { return feedback.Lot(m.Users[user], m.Items[columns[k]]) }) {
			items = append(items, columns[k])
		}
		slices.Sort(items)
		gone[int32(user)] = items
	}
	return without(d, users, gone, "some items of %d users")
}

// holdLast holds out the last of the items in which each of some users showed the most
// interest that a single interaction shows; of those of the same second one by its marks.
func holdLast(d *feedback.Dataset, of Sample) *Holdout {
	var strongest float32
	for _, x := range d.Entries() {
		strongest = max(strongest, x.Weight)
	}
	m := d.Marks()
	lot := func(x feedback.Entry) uint64 { return feedback.Lot(m.Users[x.User], m.Items[x.Item]) }
	last := map[int32]feedback.Entry{}
	for _, x := range d.Entries() {
		if x.Weight != strongest {
			continue
		}
		if y, ok := last[x.User]; !ok || x.At > y.At || x.At == y.At && lot(x) > lot(y) {
			last[x.User] = x
		}
	}
	users, gone := drawUsers(m, of), held{}
	for _, user := range users {
		columns, _ := d.ByUser().Row(int32(user))
		if x, ok := last[int32(user)]; ok && len(columns) > 1 {
			gone[x.User] = []int32{x.Item}
		}
	}
	return without(d, users, gone, "the last choice of %d users")
}

// holdNext holds out the last visits, and asks for each of their clicks by those before it.
func holdNext(d *feedback.Dataset, of Sample) *Holdout {
	cut := timesOf(d).at(1 - nextShare)
	h := &Holdout{Past: d.Keep(func(x feedback.Entry) bool { return x.At < cut }), About: "%d next clicks of the last visits"}
	m := d.Marks()
	var all []Case
	var lots []uint64
	for user, clicks := range d.InTime() {
		signals := make([]feedback.Signal, len(clicks))
		for k, x := range clicks {
			signals[k] = feedback.Signal{Item: x.Item, Weight: x.Weight, At: int64(x.At)}
			if k == 0 || clicks[k].At < cut || clicks[k].At-clicks[k-1].At > feedback.VisitGap {
				continue
			}
			c := Case{History: feedback.NewHistory(signals[:k])}
			if users, _ := h.Past.ByItem().Row(x.Item); len(users) > 0 {
				c.Relevant = []int32{x.Item}
			} else {
				c.Unknown = 1
			}
			all, lots = append(all, c), append(lots, feedback.Lot(m.Users[user], uint64(k)))
		}
	}
	for _, k := range feedback.Draw(len(all), of.Clicks, of.Seed, func(k int) uint64 { return lots[k] }) {
		h.Cases = append(h.Cases, all[k])
	}
	return h
}

// drawUsers draws those who are evaluated.
func drawUsers(m feedback.Marks, of Sample) []int {
	return feedback.Draw(len(m.Users), of.Users, of.Seed, func(k int) uint64 { return m.Users[k] })
}
