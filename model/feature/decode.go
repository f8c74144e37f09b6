package feature

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/cespare/xxhash/v2"

	"github.com/attune-shop/attune/model/event"
)

// spare is how many elements a decoded list has room for beyond its own: most states are
// decoded to fold a few events in.
const spare = 4

// ErrOutdated says that a state was written by an older version, to which event.Identify was
// a custom type: it lacks the traits, and can only be made again from the events.
var ErrOutdated = errors.New("features: written before identify had a meaning")

// Decode reads what Append wrote; data may be used again. It takes nothing that Append
// would have written otherwise. Damaged bytes are event.ErrCorrupt, a later version's
// event.ErrNewerVersion, and what an older version would no more be written as, ErrOutdated.
func Decode(data []byte) (*State, error) {
	switch {
	case len(data) == 0 || data[0] == 0:
		return nil, fmt.Errorf("features: no version: %w", event.ErrCorrupt)
	case data[0] > withTraits:
		return nil, fmt.Errorf("features: version %d, known up to %d: %w", data[0], withTraits, event.ErrNewerVersion)
	}
	var space [320]bool
	r := reader{data: data, pos: 1, used: space[:0]}
	s := &State{}
	r.names(s)
	r.kinds(s)
	r.cells(s)
	r.prints(s)
	s.recent = r.entries(s, MaxRecent)
	s.orders = r.entries(s, MaxOrders)
	if identify, identified := s.identified(); identified {
		r.require(data[0] == withTraits)
		s.traits = r.traits(identify)
	} else {
		r.require(data[0] == withoutTraits)
	}
	for _, used := range r.used {
		r.require(used)
	}
	if r.outdated && data[0] == withoutTraits {
		return nil, ErrOutdated
	}
	if r.bad || r.pos != len(data) {
		return nil, fmt.Errorf("features: damaged near byte %d of %d: %w", r.pos, len(data), event.ErrCorrupt)
	}
	return s, nil
}

// reader takes stored bytes apart. After the first bad byte it returns zeros and remembers.
type reader struct {
	data []byte
	pos  int
	bad  bool
	used []bool // of each name, whether something refers to it
	// outdated says that Identify is named as a custom type.
	outdated bool
}

// require notes that the bytes are bad unless ok.
func (r *reader) require(ok bool) {
	if !ok {
		r.bad = true
		r.data = r.data[:r.pos]
	}
}

// requireCustom asks for the name of a custom type.
func (r *reader) requireCustom(name string) {
	t := event.Type(name)
	r.outdated = r.outdated || t == event.Identify
	r.require(t.Number() == 0)
}

func (r *reader) uvarint() uint64 {
	if r.pos < len(r.data) {
		if c := r.data[r.pos]; c < 0x80 { // as most are
			r.pos++
			return uint64(c)
		}
	}
	return r.longUvarint()
}

func (r *reader) longUvarint() uint64 {
	var x uint64
	for i, c := range r.data[r.pos:] {
		if i == 9 && c > 1 {
			break // more than 64 bits
		}
		x |= uint64(c&0x7f) << (7 * i)
		if c < 0x80 {
			r.pos += i + 1
			r.require(c != 0 || i == 0) // longer than need be
			return x
		}
	}
	r.require(false)
	return 0
}

func (r *reader) varint() int64 {
	u := r.uvarint()
	return int64(u>>1) ^ -int64(u&1)
}

func (r *reader) byte() byte {
	if r.pos == len(r.data) {
		r.require(false)
		return 0
	}
	r.pos++
	return r.data[r.pos-1]
}

func (r *reader) fixed() uint64 {
	if len(r.data)-r.pos < 8 {
		r.require(false)
		return 0
	}
	r.pos += 8
	return binary.LittleEndian.Uint64(r.data[r.pos-8:])
}

// count returns how many elements of at least size bytes follow: at most limit, and never
// more than can.
func (r *reader) count(size, limit int) int {
	n := r.uvarint()
	if n > uint64(min((len(r.data)-r.pos)/size, limit)) {
		r.require(false)
		return 0
	}
	return int(n)
}

// name reads the rank of a name and notes its use.
func (r *reader) name() uint32 {
	i := r.uvarint()
	if i >= uint64(len(r.used)) {
		r.require(false)
		return 0
	}
	r.used[i] = true
	return uint32(i)
}

// maxNames is more than what entries and customs can refer to.
const maxNames = 2*(MaxRecent+MaxOrders) + MaxCustomTypes

// names reads the table and the custom types. The names share one copy of their bytes.
func (r *reader) names(s *State) {
	n := r.count(1, maxNames)
	if n > 0 {
		s.table.text = make([]string, n, n+spare)
		s.table.sorted = n
		if n > cap(r.used) {
			r.used = make([]bool, n)
		}
		r.used = r.used[:n]
	}
	lengths := r.pos
	total := uint64(0)
	for range n {
		length := r.uvarint()
		r.require(length <= uint64(len(r.data)))
		total += length
	}
	r.require(total <= uint64(len(r.data)-r.pos))
	if r.bad {
		s.table = table{}
		r.used = nil
		return
	}
	end := r.pos + int(total)
	all := string(r.data[r.pos:end])
	r.pos = lengths
	before := ""
	for i := range n {
		length := r.uvarint()
		name := all[:length]
		all = all[length:]
		r.require(i == 0 || before < name)
		s.table.text[i], before = name, name
	}
	if r.bad {
		s.table, r.used = table{}, nil
		return
	}
	r.pos = end
	n = r.count(1, MaxCustomTypes)
	if n > 0 {
		s.customs = make([]custom, n, n+1)
	}
	for i := range s.customs {
		c := &s.customs[i]
		c.name = r.name()
		if r.bad {
			return
		}
		name := s.table.text[c.name]
		c.hash = xxhash.Sum64String(name)
		r.requireCustom(name)
		r.require(event.Type(name) != Other)
		if i > 0 {
			before := &s.customs[i-1]
			r.require(before.hash < c.hash || before.hash == c.hash && before.name < c.name)
		}
	}
}

// kinds reads the first and last time of each type.
func (r *reader) kinds(s *State) {
	n := r.count(3, int(otherSlot))
	if n > 0 {
		s.kinds = make([]kind, n, n+spare)
	}
	customs, first := 0, int64(0)
	for i := range s.kinds {
		k := &s.kinds[i]
		k.slot = r.byte()
		k.first = first + r.varint()
		k.last = int64(uint64(k.first) + r.uvarint())
		first = k.first
		_, known := event.TypeOf(k.slot)
		isCustom := k.slot >= firstCustom && int(k.slot) < int(firstCustom)+len(s.customs)
		if isCustom {
			customs++
		}
		r.require(0 <= k.first && k.first <= k.last && k.last <= maxMicros)
		r.require(known || isCustom || k.slot == otherSlot)
		r.require(i == 0 || s.kinds[i-1].slot < k.slot)
	}
	r.require(customs == len(s.customs))
}

// cells reads the sums.
func (r *reader) cells(s *State) {
	n := r.count(2, math.MaxInt)
	if n > 0 {
		s.cells = make([]cell, n, n+spare)
	}
	slots := uint64(0)
	for i := range s.kinds {
		slots |= 1 << s.kinds[i].slot
	}
	first := s.firstDay()
	before := cellKey(0)
	for i := range s.cells {
		c := &s.cells[i]
		c.key = r.cellKey(before)
		c.events = int64(r.uvarint())
		if c.key.currency() != 0 {
			c.amount = r.varint()
		}
		r.require(c.key > before && slots>>c.key.slot()&1 == 1)
		r.require(!c.key.daily() || c.key.period() >= first && c.key.period() < first+DayBuckets)
		if r.bad {
			return
		}
		before = c.key
	}
}

// cellKey reads the key of a cell after the one with the key before.
func (r *reader) cellKey(before cellKey) cellKey {
	mark := r.uvarint()
	period := mark >> 1
	if mark&1 == 0 {
		period += uint64(before.period())
		r.require(mark <= 2*maxPeriod && period <= maxPeriod && before != 0)
		return before>>periodBits<<periodBits | cellKey(period)
	}
	head := r.byte()
	currency := r.uvarint()
	r.require(period <= maxPeriod && head < 1<<(keyBits-dailyShift) && currency <= maxCurrency)
	key := cellKey(head)<<dailyShift | cellKey(currency)<<periodBits | cellKey(period)
	r.require(key>>periodBits != before>>periodBits)
	return key
}

// prints reads the fingerprints.
func (r *reader) prints(s *State) {
	n := r.uvarint()
	if n == 0 {
		s.overflow = true
		return
	}
	n--
	if n > uint64(min(MaxFingerprints, (len(r.data)-r.pos)/8)) {
		r.require(false)
		return
	}
	if n > 0 {
		s.prints = make([]uint64, n, n+spare)
	}
	for i := range s.prints {
		s.prints[i] = r.fixed()
		if i > 0 && s.prints[i-1] >= s.prints[i] {
			r.require(false)
			return
		}
	}
}

// entries reads a list of interactions.
func (r *reader) entries(s *State, limit int) []entry {
	n := r.count(2, limit)
	if n == 0 {
		return nil
	}
	list := make([]entry, n, min(n+spare, limit))
	before := &entry{at: maxMicros}
	for i := range list {
		e := &list[i]
		tag := r.byte()
		if e.kind = uint32(tag & kindMask); e.kind == customTag {
			name := r.name()
			e.kind = customBase + name
			if !r.bad {
				r.requireCustom(s.table.text[name])
			}
		} else if _, known := event.TypeOf(uint8(e.kind)); !known {
			r.require(false)
		}
		size := int(tag >> timeShift & timeMask)
		e.at, e.print = before.at, before.print
		if size > 0 {
			e.at -= r.delta(size)
			e.print = r.fixed()
			r.require(e.at >= 0 && (i == 0 || e.at < before.at || e.print < before.print))
		}
		e.item = r.name()
		e.quantity = 1
		if tag&quantityTag != 0 {
			quantity := r.uvarint()
			r.require(quantity != 1 && quantity <= math.MaxUint32)
			e.quantity = uint32(quantity)
		}
		r.require(size > 0 || i > 0 && inOrder(before, e))
		if r.bad {
			return nil
		}
		before = e
	}
	return list
}

// delta reads a number of size bytes, 1 to 7, that 8 more bytes follow.
func (r *reader) delta(size int) int64 {
	if len(r.data)-r.pos < size+8 {
		r.require(false)
		return 0
	}
	x := binary.LittleEndian.Uint64(r.data[r.pos:]) & (1<<(8*size) - 1)
	r.pos += size
	r.require(size == 1 || x>>(8*(size-1)) != 0) // longer than need be
	return int64(x)
}

// inOrder tells whether a may precede b in the stored form, where both are of one time and
// fingerprint and where places in the table order as the names do.
func inOrder(a, b *entry) bool {
	if a.item != b.item {
		return a.item < b.item
	}
	if a.kind != b.kind {
		return a.kind < b.kind
	}
	return a.quantity <= b.quantity
}

// traits reads the traits that Identify events set between their first and their last.
func (r *reader) traits(identify kind) []trait {
	n := r.count(3, MaxTraits)
	if n == 0 {
		return nil
	}
	list := make([]trait, n, min(n+spare, MaxTraits))
	all := string(r.data[r.pos:]) // keys and texts share one copy of the bytes
	start := r.pos
	text := func() string {
		length := r.count(1, math.MaxInt)
		r.pos += length
		return all[r.pos-length-start : r.pos-start]
	}
	for i := range list {
		t := &list[i]
		tag := r.byte()
		t.kind = traitKind(tag & traitMask)
		r.require(t.kind < traitKinds && tag&^(traitMask|sameEventTag) == 0)
		t.key = text()
		t.hash = xxhash.Sum64String(t.key)
		if tag&sameEventTag != 0 && i > 0 {
			t.at, t.print = list[i-1].at, list[i-1].print
		} else {
			ago := r.uvarint()
			t.at, t.print = identify.last-int64(ago), r.fixed()
			r.require(tag&sameEventTag == 0 && ago <= uint64(identify.last-identify.first))
			r.require(i == 0 || t.at != list[i-1].at || t.print != list[i-1].print)
		}
		switch t.kind {
		case traitNumber:
			t.number = r.fixed()
			number := math.Float64frombits(t.number)
			r.require(!math.IsNaN(number) && !math.IsInf(number, 0))
		case traitText:
			t.text = text()
		}
		r.require(event.ValidTraitKey(t.key) && event.ValidTraitText(t.text))
		r.require(i == 0 || compareTraits(list[i-1], *t) < 0)
		if r.bad {
			return nil
		}
	}
	return list
}
