package feature

import (
	"cmp"
	"math"
	"slices"
	"strings"

	"github.com/attune-shop/attune/model/event"
)

// entry is one interaction with an item. It holds no pointers, so that a list of them is
// one block of memory that is copied as it is.
type entry struct {
	at       int64
	print    uint64
	item     uint32 // place in the table
	kind     uint32 // number of a known type, else customBase + place in the table
	quantity uint32
}

// customBase tells a custom type of an entry from a known one.
const customBase = 16

// probe is an interaction that is not, or not yet, in a state.
type probe struct {
	at       int64
	print    uint64
	item     string
	kind     event.Type
	quantity uint32
}

// compare orders interactions: newest first, then by fingerprint, item, type and
// quantity. Two that are equal in all of it are interchangeable.
func (s *State) compare(e *entry, p *probe) int {
	if e.at != p.at {
		return cmp.Compare(p.at, e.at)
	}
	if e.print != p.print {
		return cmp.Compare(p.print, e.print)
	}
	if c := strings.Compare(s.table.text[e.item], p.item); c != 0 {
		return c
	}
	if c := compareTypes(s.entryType(e), p.kind); c != 0 {
		return c
	}
	return cmp.Compare(e.quantity, p.quantity)
}

// compareTypes orders known types by number, then custom types by name.
func compareTypes(a, b event.Type) int {
	x, y := a.Number(), b.Number()
	if x == 0 && y == 0 {
		return strings.Compare(string(a), string(b))
	}
	return cmp.Compare(x-1, y-1) // 0, a custom type, becomes the greatest
}

// entryType returns the type of an entry.
func (s *State) entryType(e *entry) event.Type {
	if e.kind >= customBase {
		return event.Type(s.table.text[e.kind-customBase])
	}
	known, _ := event.TypeOf(uint8(e.kind))
	return known
}

// view returns the entry as it can be compared with entries of other states.
func (s *State) view(e *entry) probe {
	return probe{at: e.at, print: e.print, item: s.table.text[e.item], kind: s.entryType(e), quantity: e.quantity}
}

// interact adds one interaction where it is among those that are kept.
func (s *State) interact(at int64, print uint64, t event.Type, item string, quantity int64) {
	p := probe{at: at, print: print, item: item, kind: t, quantity: uint32(min(max(quantity, 0), math.MaxUint32))}
	inRecent, inOrders := s.find(s.recent, &p), MaxOrders
	if t == event.Purchase || t == event.Refund {
		inOrders = s.find(s.orders, &p)
	}
	if inRecent >= MaxRecent && inOrders >= MaxOrders {
		return
	}
	e := s.newEntry(&p)
	if inRecent < MaxRecent {
		s.recent = insert(s.recent, inRecent, e, MaxRecent)
	}
	if inOrders < MaxOrders {
		s.orders = insert(s.orders, inOrders, e, MaxOrders)
	}
}

// newEntry puts the probe's names into the table.
func (s *State) newEntry(p *probe) entry {
	e := entry{at: p.at, print: p.print, item: s.table.intern(p.item), kind: uint32(p.kind.Number()), quantity: p.quantity}
	if e.kind == 0 {
		e.kind = customBase + s.table.intern(string(p.kind))
	}
	return e
}

// find returns the place of the probe in a list, the list's length where it is last.
func (s *State) find(list []entry, p *probe) int {
	lo, hi := 0, len(list)
	if hi > 0 && list[0].at < p.at {
		return 0 // newer than all, as most are
	}
	for lo < hi {
		if mid := (lo + hi) / 2; s.compare(&list[mid], p) < 0 {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo
}

// insert puts e at place i; of more than limit entries the last is dropped.
func insert(list []entry, i int, e entry, limit int) []entry {
	if len(list) < limit {
		return slices.Insert(list, i, e)
	}
	copy(list[i+1:], list[i:])
	list[i] = e
	return list
}
