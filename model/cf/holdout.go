package cf

import (
	"math/rand/v2"
	"slices"
)

const (
	// minHeldOut is the number of users below which nothing is evaluated.
	minHeldOut = 10
	// enoughHeldOut is the number of users at which no earlier time is looked for.
	enoughHeldOut = 200
)

// pastShares are the shares of all interactions that may be the past, in the order in
// which they are tried.
var pastShares = []float64{.9, .8, .7, .5}

// holdout is a dataset cut in two at a time.
type holdout struct {
	// cut is the first second that is held out; past is what was before it.
	cut  uint32
	past *Dataset
	// users were there before the time and chose new items after it; relevant are those, in order.
	users    []int32
	relevant [][]int32
	// cases are what the users are asked for.
	cases []Case
}

// hold cuts the dataset at the latest of a few times after which enough users chose
// something new, or at the one with the most of them; nil where those are too few.
func hold(d *Dataset, o Options) *holdout {
	times := make([]uint32, len(d.log))
	for i, x := range d.log {
		times[i] = x.at
	}
	slices.Sort(times)
	var best *holdout
	for _, share := range pastShares {
		cut := times[min(len(times)-1, int(share*float64(len(times))))]
		h := d.after(cut)
		if best == nil || len(h.users) > len(best.users) {
			best = h
		}
		if len(best.users) >= enoughHeldOut {
			break
		}
	}
	if len(best.users) < minHeldOut {
		return nil
	}
	best.sample(o.EvaluatedUsers, o.Seed)
	best.past = d.before(best.cut)
	for k, user := range best.users {
		history, items := d.history(user, int64(best.cut))
		best.cases = append(best.cases, Case{History: history, Relevant: best.relevant[k], Hidden: items})
	}
	return best
}

// after finds the users with interactions before the time, and what they first chose at
// it or later, of items that anyone had chosen before. past and cases are left open.
func (d *Dataset) after(cut uint32) *holdout {
	known := make([]bool, len(d.itemIDs))
	for _, x := range d.log {
		if x.at < cut {
			known[x.item] = true
		}
	}
	h := &holdout{cut: cut}
	for i := 0; i < len(d.log); {
		user := d.log[i].user
		before := false
		var relevant []int32
		for i < len(d.log) && d.log[i].user == user {
			item, first := d.log[i].item, d.log[i].at
			for i < len(d.log) && d.log[i].user == user && d.log[i].item == item {
				i++
			}
			switch {
			case first < cut:
				before = true
			case known[item]:
				relevant = append(relevant, item)
			}
		}
		if before && len(relevant) > 0 {
			h.users = append(h.users, user)
			h.relevant = append(h.relevant, relevant)
		}
	}
	return h
}

// sample keeps n users, drawn by the seed.
func (h *holdout) sample(n int, seed int64) {
	if len(h.users) <= n {
		return
	}
	random := rand.New(rand.NewPCG(uint64(seed), 1))
	random.Shuffle(len(h.users), func(i, j int) {
		h.users[i], h.users[j] = h.users[j], h.users[i]
		h.relevant[i], h.relevant[j] = h.relevant[j], h.relevant[i]
	})
	h.users, h.relevant = h.users[:n], h.relevant[:n]
}
