package feature

import "slices"

// Merge returns the state of the events of all the given ones, as if each event had been
// folded into one state, byte for byte. No event may be in two of them; two visitors'
// events may have one id. The given states stay as they are and nil ones are left out;
// the result shares nothing that Fold changes.
func Merge(states ...*State) *State {
	merged := &State{}
	for _, s := range states {
		if s == nil || len(s.kinds) == 0 {
			continue
		}
		if len(merged.kinds) == 0 {
			merged = s.clone()
			continue
		}
		merged.absorb(s)
	}
	return merged
}

func (s *State) clone() *State {
	c := *s
	c.table.text = slices.Clone(s.table.text)
	c.customs = slices.Clone(s.customs)
	c.kinds = slices.Clone(s.kinds)
	c.cells = slices.Clone(s.cells)
	c.prints = slices.Clone(s.prints)
	c.recent = slices.Clone(s.recent)
	c.orders = slices.Clone(s.orders)
	c.traits = slices.Clone(s.traits)
	return &c
}

// absorb adds the events of o.
func (s *State) absorb(o *State) {
	for i := range o.kinds { // makes all slots before any is used, as a new one moves others
		s.slot(o.typeOf(o.kinds[i].slot))
	}
	before := s.firstDay()
	var slots [otherSlot + 1]uint8 // of o's slots, those of s
	for i := range o.kinds {
		k := &o.kinds[i]
		slots[k.slot] = s.slot(o.typeOf(k.slot))
		s.touch(slots[k.slot], k.first, k.last)
	}
	first := s.firstDay()
	if first > before {
		s.dropDays(first)
	}
	for _, c := range o.cells {
		if c.key.daily() && c.key.period() < first {
			continue
		}
		c.key = newKey(slots[c.key.slot()], c.key.daily(), c.key.currency(), c.key.period())
		s.add(c)
	}
	if o.overflow {
		s.prints, s.overflow = nil, true
	}
	for _, print := range o.prints {
		s.remember(print)
	}
	s.recent = s.absorbEntries(s.recent, o, o.recent, MaxRecent)
	s.orders = s.absorbEntries(s.orders, o, o.orders, MaxOrders)
	for i := range o.traits {
		s.set(o.traits[i])
	}
	s.table.compact(s)
}

// absorbEntries merges a list of o into a list of s, in time linear in both.
func (s *State) absorbEntries(mine []entry, o *State, theirs []entry, limit int) []entry {
	if len(theirs) == 0 {
		return mine
	}
	merged := make([]entry, 0, min(len(mine)+len(theirs), limit))
	for len(merged) < limit && len(mine)+len(theirs) > 0 {
		if len(theirs) > 0 {
			p := o.view(&theirs[0])
			if len(mine) == 0 || s.compare(&mine[0], &p) > 0 {
				merged = append(merged, s.newEntry(&p))
				theirs = theirs[1:]
				continue
			}
		}
		merged = append(merged, mine[0])
		mine = mine[1:]
	}
	return merged
}
