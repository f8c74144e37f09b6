package feature

import (
	"cmp"
	"slices"
	"strings"

	"github.com/cespare/xxhash/v2"

	"github.com/attune-shop/attune/model/event"
)

// A slot numbers a type within a state: known types have their stored number, custom
// types follow in the order of their hashes, and the last one sums all others.
const (
	firstCustom uint8 = 16
	otherSlot   uint8 = 63
)

// kind is one type's first and last OccurredAt, in microseconds.
type kind struct {
	slot        uint8
	first, last int64
}

// custom is a custom type that has a slot; name is its place in the table.
type custom struct {
	hash uint64
	name uint32
}

// slot returns the slot of a type, which it makes where it is new. A state keeps the
// MaxCustomTypes least custom types that it ever saw: one that is least of all now was
// so whenever it was seen, so nothing of it has gone to Other, whatever the order.
func (s *State) slot(t event.Type) uint8 {
	if number := t.Number(); number != 0 {
		return number
	}
	if t == Other {
		return otherSlot
	}
	hash := xxhash.Sum64String(string(t))
	i, found := s.findCustom(t, hash)
	if found {
		return firstCustom + uint8(i)
	}
	if i == MaxCustomTypes {
		return otherSlot
	}
	if len(s.customs) == MaxCustomTypes {
		s.evict()
	}
	s.customs = slices.Insert(s.customs, i, custom{hash: hash, name: s.table.intern(string(t))})
	s.shift(firstCustom + uint8(i))
	return firstCustom + uint8(i)
}

// findCustom returns the place of a custom type with a slot, and where it would be.
func (s *State) findCustom(t event.Type, hash uint64) (int, bool) {
	return slices.BinarySearchFunc(s.customs, t, func(c custom, t event.Type) int {
		if c.hash != hash {
			return cmp.Compare(c.hash, hash)
		}
		return strings.Compare(s.table.text[c.name], string(t))
	})
}

// customSlot returns the slot of a custom type, a slot without sums where it has none.
func (s *State) customSlot(t event.Type) uint8 {
	if t == Other {
		return otherSlot
	}
	i, found := s.findCustom(t, xxhash.Sum64String(string(t)))
	if !found {
		return 0
	}
	return firstCustom + uint8(i)
}

// shift moves custom types from slot on up by one.
func (s *State) shift(from uint8) {
	for i := range s.kinds {
		if k := &s.kinds[i]; k.slot >= from && k.slot < otherSlot {
			k.slot++
		}
	}
	for i := range s.cells {
		if c := &s.cells[i]; c.key.slot() >= from && c.key.slot() < otherSlot {
			c.key += 1 << slotShift
		}
	}
}

// evict moves the greatest custom type's sums to Other.
func (s *State) evict() {
	s.customs = s.customs[:MaxCustomTypes-1]
	const last = firstCustom + MaxCustomTypes - 1
	for i, k := range s.kinds {
		if k.slot == last {
			s.kinds = slices.Delete(s.kinds, i, i+1)
			s.touch(otherSlot, k.first, k.last)
			break
		}
	}
	from, _ := slices.BinarySearchFunc(s.cells, newKey(last, false, 0, 0), compareKey)
	to, _ := slices.BinarySearchFunc(s.cells, newKey(last+1, false, 0, 0), compareKey)
	moved := slices.Clone(s.cells[from:to])
	s.cells = slices.Delete(s.cells, from, to)
	for _, c := range moved {
		c.key += cellKey(otherSlot-last) << slotShift
		s.add(c)
	}
}

func compareKey(c cell, key cellKey) int { return cmp.Compare(c.key, key) }

// touch widens a type's first and last time.
func (s *State) touch(slot uint8, first, last int64) {
	i := 0
	for i < len(s.kinds) && s.kinds[i].slot < slot {
		i++
	}
	if i < len(s.kinds) && s.kinds[i].slot == slot {
		k := &s.kinds[i]
		k.first, k.last = min(k.first, first), max(k.last, last)
		return
	}
	s.kinds = slices.Insert(s.kinds, i, kind{slot: slot, first: first, last: last})
}

// typeOf returns the type of a slot.
func (s *State) typeOf(slot uint8) event.Type {
	if known, ok := event.TypeOf(slot); ok {
		return known
	}
	if i := int(slot) - int(firstCustom); i >= 0 && i < len(s.customs) {
		return event.Type(s.table.text[s.customs[i].name])
	}
	return Other
}
