package sequence

import (
	"math"
	"slices"

	"github.com/attune-shop/attune/model/cf/feedback"
)

const (
	// MaxVisit is how many interactions of one visit count, the newest: it bounds what a
	// robot, whose visit never ends, can do to a model. It fits into a byte.
	MaxVisit = 200
	// MaxClicks is how many interactions all visits have, the newest visits: 2 GiB of them.
	// Places fit into 32 bits.
	MaxClicks = 1 << 29
)

// Visits are what users did one thing after the other: visit k is the items
// Items[Ends[k-1]:Ends[k]], oldest first and as often as they came, of one user with no gap
// above feedback.VisitGap. They are in the order of their first interaction, then of users, so that
// the last visits are the newest. All fields are stored, none is derived.
type Visits struct {
	Items []int32
	Ends  []int64
	// Starts are the times of first interactions in unix seconds, also where MaxVisit leaves
	// those interactions out.
	Starts []uint32
}

// visitsOf cuts the log of a dataset into visits. Interactions of the same second are in the
// order of items. O(n log n) for n interactions.
func visitsOf(d *feedback.Dataset) Visits {
	var v Visits
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
	return v.newest(MaxClicks)
}

// cut appends the visits of one user.
func (v *Visits) cut(user []uint64) {
	for from := 0; from < len(user); {
		to := from + 1
		for to < len(user) && user[to]>>32-user[to-1]>>32 <= feedback.VisitGap {
			to++
		}
		for _, x := range user[max(from, to-MaxVisit):to] {
			v.Items = append(v.Items, int32(uint32(x)))
		}
		v.Ends = append(v.Ends, int64(len(v.Items)))
		v.Starts = append(v.Starts, uint32(user[from]>>32))
		from = to
	}
}

// ordered returns visits in the order of their starts, those of the same second as they are.
func (v *Visits) ordered() Visits {
	order := make([]uint64, v.Len()) // start, then place
	for k, start := range v.Starts {
		order[k] = uint64(start)<<32 | uint64(k)
	}
	slices.Sort(order)
	sorted := Visits{Items: make([]int32, 0, len(v.Items)), Ends: make([]int64, len(v.Ends)), Starts: make([]uint32, len(v.Starts))}
	for k, x := range order {
		sorted.Items = append(sorted.Items, v.visit(int(x&math.MaxUint32))...)
		sorted.Ends[k] = int64(len(sorted.Items))
		sorted.Starts[k] = uint32(x >> 32)
	}
	return sorted
}

// Len is the number of visits.
func (v *Visits) Len() int { return len(v.Ends) }

// visit returns the items of visit k, oldest first.
func (v *Visits) visit(k int) []int32 { return v.Items[v.from(k):v.Ends[k]] }

// from is the place of the first item of visit k; of no visit, k = len, where all end.
func (v *Visits) from(k int) int64 {
	if k == 0 {
		return 0
	}
	return v.Ends[k-1]
}

// slice returns visits from to to-1, which share their items with v.
func (v *Visits) slice(from, to int) Visits {
	first := v.from(from)
	part := Visits{Items: v.Items[first:v.from(to)], Ends: v.Ends[from:to], Starts: v.Starts[from:to]}
	if first > 0 {
		part.Ends = slices.Clone(part.Ends)
		for k := range part.Ends {
			part.Ends[k] -= first
		}
	}
	return part
}

// newest returns the newest visits that have at most so many interactions together.
func (v *Visits) newest(clicks int64) Visits {
	from, _ := slices.BinarySearch(v.Ends, int64(len(v.Items))-clicks)
	if int64(len(v.Items)) <= clicks {
		return *v
	}
	return v.slice(min(from+1, v.Len()), v.Len())
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
func placesOf(v *Visits, items int) places {
	p := places{ends: make([]int64, items), at: make([]int32, len(v.Items)), visit: make([]int32, len(v.Items))}
	for _, i := range v.Items {
		p.ends[i]++
	}
	next := make([]int64, items)
	var sum int64
	for i, n := range p.ends {
		next[i] = sum
		sum += n
		p.ends[i] = sum
	}
	for k := range v.Len() {
		for at := v.from(k); at < v.Ends[k]; at++ {
			i := v.Items[at]
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
