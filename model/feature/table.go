package feature

import (
	"slices"
	"strings"
)

// table holds the names of items and custom types, which entries and customs name by
// place. The first sorted of them are in order, each once; those put in since then follow
// as they came, maybe more than once and maybe no longer in use. The stored form holds
// them in order, each once, and only those in use.
type table struct {
	text   []string
	sorted int
}

// slack is how many names may follow the sorted ones before compact sorts them in.
const slack = 1024

// intern returns a place of the name.
func (t *table) intern(name string) uint32 {
	if i, found := slices.BinarySearch(t.text[:t.sorted], name); found {
		return uint32(i)
	}
	if last := len(t.text) - 1; last >= t.sorted && t.text[last] == name {
		return uint32(last)
	}
	t.text = append(t.text, name)
	return uint32(len(t.text) - 1)
}

// compact sorts the names in once many have come; it bounds what a long fold holds.
func (t *table) compact(s *State) {
	if len(t.text)-t.sorted <= slack {
		return
	}
	order, place := s.arrange(nil, nil)
	text := make([]string, len(order))
	for i, old := range order {
		text[i] = t.text[old]
	}
	for _, list := range [...][]entry{s.recent, s.orders} {
		for i := range list {
			e := &list[i]
			e.item = place[e.item]
			if e.kind >= customBase {
				e.kind = customBase + place[e.kind-customBase]
			}
		}
	}
	for i := range s.customs {
		s.customs[i].name = place[s.customs[i].name]
	}
	t.text, t.sorted = text, len(text)
}

// unused marks a name that nothing refers to.
const unused = ^uint32(0)

// arrange returns the names in use in order, by their places, and for each place the rank
// of its name. The two slices are used for the answer where they have room.
func (s *State) arrange(order, rank []uint32) ([]uint32, []uint32) {
	t := &s.table
	if cap(rank) < len(t.text) {
		rank = make([]uint32, len(t.text))
	}
	rank = rank[:len(t.text)]
	for i := range rank {
		rank[i] = unused
	}
	for _, list := range [...][]entry{s.recent, s.orders} {
		for i := range list {
			e := &list[i]
			rank[e.item] = 0
			if e.kind >= customBase {
				rank[e.kind-customBase] = 0
			}
		}
	}
	for i := range s.customs {
		rank[s.customs[i].name] = 0
	}
	var space [32]uint32
	added := space[:0]
	for i := t.sorted; i < len(rank); i++ {
		if rank[i] != unused {
			added = append(added, uint32(i))
		}
	}
	if len(added) > 1 {
		slices.SortFunc(added, func(a, b uint32) int { return strings.Compare(t.text[a], t.text[b]) })
	}
	if cap(order) < len(rank) {
		order = make([]uint32, 0, len(rank))
	}
	order = order[:0]
	for i := 0; i < t.sorted || len(added) > 0; {
		switch {
		case i < t.sorted && rank[i] == unused:
			i++
		case len(added) == 0 || (i < t.sorted && t.text[i] < t.text[added[0]]):
			rank[i] = uint32(len(order))
			order = append(order, uint32(i))
			i++
		default:
			if n := len(order); n > 0 && t.text[order[n-1]] == t.text[added[0]] {
				rank[added[0]] = uint32(n - 1)
			} else {
				rank[added[0]] = uint32(n)
				order = append(order, added[0])
			}
			added = added[1:]
		}
	}
	return order, rank
}
