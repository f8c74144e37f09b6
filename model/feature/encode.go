package feature

import (
	"encoding/binary"
	"math/bits"
)

// The first byte of a stored state. A state without Identify events has the form that it
// had before there were any, so that older servers read it; the other one they refuse.
const (
	withoutTraits = 1
	withTraits    = 2
)

// An entry's first byte holds the number of its type in the lowest four bits, then in how
// many bytes the time before it follows (0: time and fingerprint are those of the entry
// before), and in the highest bit whether a quantity follows.
const (
	kindMask    = 15
	customTag   = 15 // in the place of the type's number: the name's rank follows
	timeShift   = 4
	timeMask    = 7
	quantityTag = 1 << 7
)

// A trait's first byte holds its kind, and whether it is of the event of the one before.
const (
	traitMask    = 7
	sameEventTag = 1 << 3
)

// Append appends the state's stored form to dst. Two states of the same events have the
// same form. It is, numbers being varints:
//
//	version, 1 byte
//	names   count, their lengths, their bytes; sorted, each in use
//	customs count, ranks among the names; sorted by (hash, name)
//	kinds   count, each: slot, first - first of the one before, last - first
//	cells   count, each: 2 * period + 1, slot and daily in 1 byte and currency, or, where these
//	        three are those of the one before, 2 * (period - its period); events; with a
//	        currency, amount
//	prints  count + 1, each in 8 bytes, sorted; or 0 where they were too many
//	recent  count, each: first byte, custom type's rank, time of the one before (at first:
//	        the latest there is) - time in 1 to 7 bytes and fingerprint in 8, where they
//	        differ from the one before, item's rank, quantity if not 1
//	orders  as recent
//	traits  in version 2 only: count, each: first byte, the key's length and bytes, time until
//	        the last Identify event and fingerprint in 8 bytes, where they differ from the one
//	        before, a number in 8 bytes or a text's length and bytes; sorted by (hash, key)
//
// The version is 2 where there were Identify events, else 1.
func (s *State) Append(dst []byte) []byte {
	var orderSpace, rankSpace [320]uint32
	order, rank := s.arrange(orderSpace[:], rankSpace[:])
	identify, identified := s.identified()
	if identified {
		dst = append(dst, withTraits)
	} else {
		dst = append(dst, withoutTraits)
	}
	dst = s.appendNames(dst, order, rank)
	dst = s.appendSums(dst)
	if s.overflow {
		dst = append(dst, 0)
	} else {
		dst = binary.AppendUvarint(dst, uint64(len(s.prints))+1)
		for _, print := range s.prints {
			dst = binary.LittleEndian.AppendUint64(dst, print)
		}
	}
	dst = appendEntries(dst, s.recent, rank)
	dst = appendEntries(dst, s.orders, rank)
	if identified {
		dst = appendTraits(dst, s.traits, identify.last)
	}
	return dst
}

func (s *State) appendNames(dst []byte, order, rank []uint32) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(order)))
	for _, i := range order {
		dst = binary.AppendUvarint(dst, uint64(len(s.table.text[i])))
	}
	for _, i := range order {
		dst = append(dst, s.table.text[i]...)
	}
	dst = binary.AppendUvarint(dst, uint64(len(s.customs)))
	for i := range s.customs {
		dst = binary.AppendUvarint(dst, uint64(rank[s.customs[i].name]))
	}
	return dst
}

func (s *State) appendSums(dst []byte) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(s.kinds)))
	first := int64(0)
	for i := range s.kinds {
		k := &s.kinds[i]
		dst = append(dst, k.slot)
		dst = binary.AppendVarint(dst, k.first-first)
		dst = binary.AppendUvarint(dst, uint64(k.last)-uint64(k.first))
		first = k.first
	}
	dst = binary.AppendUvarint(dst, uint64(len(s.cells)))
	before := cellKey(0)
	for i := range s.cells {
		c := &s.cells[i]
		if c.key>>periodBits == before>>periodBits {
			dst = binary.AppendUvarint(dst, uint64(c.key-before)<<1)
		} else {
			dst = binary.AppendUvarint(dst, uint64(c.key.period())<<1|1)
			dst = append(dst, byte(c.key>>dailyShift))
			dst = binary.AppendUvarint(dst, uint64(c.key.currency()))
		}
		dst = binary.AppendUvarint(dst, uint64(c.events))
		if c.key.currency() != 0 {
			dst = binary.AppendVarint(dst, c.amount)
		}
		before = c.key
	}
	return dst
}

func appendEntries(dst []byte, list []entry, rank []uint32) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(list)))
	before := entry{at: maxMicros}
	for i := range list {
		e := &list[i]
		tag := byte(e.kind)
		if e.kind >= customBase {
			tag = customTag
		}
		size, delta := 0, uint64(before.at-e.at)
		if i == 0 || delta != 0 || e.print != before.print {
			size = max((bits.Len64(delta)+7)/8, 1)
		}
		tag |= byte(size) << timeShift
		if e.quantity != 1 {
			tag |= quantityTag
		}
		dst = append(dst, tag)
		if e.kind >= customBase {
			dst = binary.AppendUvarint(dst, uint64(rank[e.kind-customBase]))
		}
		if size > 0 {
			dst = binary.LittleEndian.AppendUint64(dst, delta)
			dst = binary.LittleEndian.AppendUint64(dst[:len(dst)-8+size], e.print)
		}
		dst = binary.AppendUvarint(dst, uint64(rank[e.item]))
		if e.quantity != 1 {
			dst = binary.AppendUvarint(dst, uint64(e.quantity))
		}
		before = *e
	}
	return dst
}

// appendTraits appends traits that were set until last.
func appendTraits(dst []byte, traits []trait, last int64) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(traits)))
	for i := range traits {
		t := &traits[i]
		same := i > 0 && t.at == traits[i-1].at && t.print == traits[i-1].print
		tag := byte(t.kind)
		if same {
			tag |= sameEventTag
		}
		dst = append(dst, tag)
		dst = binary.AppendUvarint(dst, uint64(len(t.key)))
		dst = append(dst, t.key...)
		if !same {
			dst = binary.AppendUvarint(dst, uint64(last-t.at))
			dst = binary.LittleEndian.AppendUint64(dst, t.print)
		}
		switch t.kind {
		case traitNumber:
			dst = binary.LittleEndian.AppendUint64(dst, t.number)
		case traitText:
			dst = binary.AppendUvarint(dst, uint64(len(t.text)))
			dst = append(dst, t.text...)
		}
	}
	return dst
}
