package cf

import (
	"math"
	"slices"

	"github.com/attune-shop/attune/model/cf/feedback"
)

const (
	// maxVisit is how many interactions of one visit count, the newest: it bounds what a
	// robot, whose visit never ends, can do to a model. It fits into a byte.
	maxVisit = 200
	// maxClicks is how many interactions all visits have, the newest visits: 2 GiB of them.
	// Places fit into 32 bits.
	maxClicks = 1 << 29
)

// visits are what users did one thing after the other: visit k is the items
// items[ends[k-1]:ends[k]], oldest first and as often as they came, of one user with no gap
// above visitGap. They are in the order of their first interaction, then of users, so that
// the last visits are the newest. All fields are stored, none is derived.
type visits struct {
	items []int32
	ends  []int64
	// starts are the times of first interactions in unix seconds, also where maxVisit leaves
	// those interactions out.
	starts []uint32
}

// visitsOf cuts the log of a dataset into visits. Interactions of the same second are in the
// order of items. O(n log n) for n interactions.
func visitsOf(d *feedback.Dataset) visits {
	var v visits
	var user []uint64 // time, then item
	for from := 0; from < len(d.Entries()); {
		user = user[:0]
		u := d.Entries()[from].User
		for ; from < len(d.Entries()) && d.Entries()[from].User == u; from++ {
			user = append(user, uint64(d.Entries()[from].At)<<32|uint64(uint32(d.Entries()[from].Item)))
		}
		slices.Sort(user)
		v.cut(user)
	}
	v = v.ordered()
	return v.newest(maxClicks)
}

// cut appends the visits of one user.
func (v *visits) cut(user []uint64) {
	for from := 0; from < len(user); {
		to := from + 1
		for to < len(user) && user[to]>>32-user[to-1]>>32 <= feedback.VisitGap {
			to++
		}
		for _, x := range user[max(from, to-maxVisit):to] {
			v.items = append(v.items, int32(uint32(x)))
		}
		v.ends = append(v.ends, int64(len(v.items)))
		v.starts = append(v.starts, uint32(user[from]>>32))
		from = to
	}
}

// ordered returns visits in the order of their starts, those of the same second as they are.
func (v *visits) ordered() visits {
	order := make([]uint64, v.len()) // start, then place
	for k, start := range v.starts {
		order[k] = uint64(start)<<32 | uint64(k)
	}
	slices.Sort(order)
	sorted := visits{items: make([]int32, 0, len(v.items)), ends: make([]int64, len(v.ends)), starts: make([]uint32, len(v.starts))}
	for k, x := range order {
		sorted.items = append(sorted.items, v.visit(int(x&math.MaxUint32))...)
		sorted.ends[k] = int64(len(sorted.items))
		sorted.starts[k] = uint32(x >> 32)
	}
	return sorted
}

func (v *visits) len() int { return len(v.ends) }

// visit returns the items of visit k, oldest first.
func (v *visits) visit(k int) []int32 { return v.items[v.from(k):v.ends[k]] }

// from is the place of the first item of visit k; of no visit, k = len, where all end.
func (v *visits) from(k int) int64 {
	if k == 0 {
		return 0
	}
	return v.ends[k-1]
}

// slice returns visits from to to-1, which share their items with v.
func (v *visits) slice(from, to int) visits {
	first := v.from(from)
	part := visits{items: v.items[first:v.from(to)], ends: v.ends[from:to], starts: v.starts[from:to]}
	if first > 0 {
		part.ends = slices.Clone(part.ends)
		for k := range part.ends {
			part.ends[k] -= first
		}
	}
	return part
}

// newest returns the newest visits that have at most so many interactions together.
func (v *visits) newest(clicks int64) visits {
	from, _ := slices.BinarySearch(v.ends, int64(len(v.items))-clicks)
	if int64(len(v.items)) <= clicks {
		return *v
	}
	return v.slice(min(from+1, v.len()), v.len())
}

// places tell where in visits an item comes: at[ends[i-1]:ends[i]] for item i, increasing. They
// are derived, and needed for counting only.
type places struct {
	ends []int64
	at   []int32
	// visit is the number of the visit at each place.
	visit []int32
}

// placesOf returns the places of items 0 to items-1. O(interactions + items).
func placesOf(v *visits, items int) places {
	p := places{ends: make([]int64, items), at: make([]int32, len(v.items)), visit: make([]int32, len(v.items))}
	for _, i := range v.items {
		p.ends[i]++
	}
	next := make([]int64, items)
	var sum int64
	for i, n := range p.ends {
		next[i] = sum
		sum += n
		p.ends[i] = sum
	}
	for k := range v.len() {
		for at := v.from(k); at < v.ends[k]; at++ {
			i := v.items[at]
			p.at[next[i]] = int32(at)
			next[i]++
			p.visit[at] = int32(k)
		}
	}
	return p
}

// of returns the places of item i, increasing.
func (p *places) of(i int) []int32 {
	var from int64
	if i > 0 {
		from = p.ends[i-1]
	}
	return p.at[from:p.ends[i]]
}
