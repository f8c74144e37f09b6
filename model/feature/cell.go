package feature

import (
	"time"

	"github.com/attune-shop/attune/model/event"
)

// cell sums the events of one type and currency over one month or one day. Each event is
// in one month's cell and, while its day is kept, in one day's.
type cell struct {
	key    cellKey
	events int64
	// amount is in minor units. Amounts of valid events are bounded so that the sums of
	// 200,000 of them fit; beyond that it wraps around, which no order of events changes.
	amount int64
}

// cellKey orders cells by slot of the type, months before days, currency and period:
// 6 bits slot, 1 bit daily, 24 bits currency, 23 bits period since 1970.
type cellKey uint64

const (
	periodBits  = 23
	maxPeriod   = 1<<periodBits - 1
	dailyShift  = periodBits + 24
	slotShift   = dailyShift + 1
	keyBits     = slotShift + 6
	dayMicros   = int64(24 * time.Hour / time.Microsecond)
	maxCurrency = 1<<24 - 1
	maxMicros   = 1<<56 - 1 // in the year 4253
)

func newKey(slot uint8, daily bool, currency uint32, period int64) cellKey {
	k := cellKey(slot)<<slotShift | cellKey(currency)<<periodBits | cellKey(period)
	if daily {
		k |= 1 << dailyShift
	}
	return k
}

func (k cellKey) slot() uint8      { return uint8(k >> slotShift) }
func (k cellKey) daily() bool      { return k>>dailyShift&1 == 1 }
func (k cellKey) currency() uint32 { return uint32(k>>periodBits) & maxCurrency }
func (k cellKey) period() int64    { return int64(k & maxPeriod) }

// packCurrency returns the code's three bytes as a number that orders as the code does;
// 0 where no amount is known.
func packCurrency(m event.Money) uint32 {
	if len(m.Currency) != 3 {
		return 0
	}
	return uint32(m.Currency[0])<<16 | uint32(m.Currency[1])<<8 | uint32(m.Currency[2])
}

func unpackCurrency(c uint32) string { return string([]byte{byte(c >> 16), byte(c >> 8), byte(c)}) }

// microsOf counts microseconds from 1970 on and brings times beyond 0..maxMicros, which no
// valid event has, to these bounds.
func microsOf(t time.Time) int64 { return min(max(t.UnixMicro(), 0), maxMicros) }

// dayOf numbers days of UTC from 1970-01-01 on.
func dayOf(micros int64) int64 { return micros / dayMicros }

// monthOf numbers months of UTC from January 1970 on.
func monthOf(micros int64) int64 {
	year, month, _ := time.UnixMicro(micros).UTC().Date()
	return int64(year-1970)*12 + int64(month-1)
}

// firstDay returns the first day that has sums of its own, -1 where there are no events.
func (s *State) firstDay() int64 {
	if len(s.kinds) == 0 {
		return -1
	}
	return max(dayOf(s.newest())-DayBuckets+1, 0)
}

// sum counts an event and its value in its month and, where it is not too old, in its day.
func (s *State) sum(slot uint8, at int64, value event.Money) {
	c := cell{events: 1}
	currency := packCurrency(value)
	if currency != 0 {
		c.amount = value.Minor
	}
	c.key = newKey(slot, false, currency, monthOf(at))
	s.add(c)
	if day := dayOf(at); day >= s.firstDay() {
		c.key = newKey(slot, true, currency, day)
		s.add(c)
	}
}

// add adds c to the cell with its key.
func (s *State) add(c cell) {
	lo, hi := 0, len(s.cells)
	for lo < hi {
		if mid := (lo + hi) / 2; s.cells[mid].key < c.key {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	if lo < len(s.cells) && s.cells[lo].key == c.key {
		s.cells[lo].events += c.events
		s.cells[lo].amount += c.amount
		return
	}
	s.cells = append(s.cells, cell{})
	copy(s.cells[lo+1:], s.cells[lo:])
	s.cells[lo] = c
}

// dropDays leaves out the days before first; their months keep the sums.
func (s *State) dropDays(first int64) {
	kept := s.cells[:0]
	for _, c := range s.cells {
		if !c.key.daily() || c.key.period() >= first {
			kept = append(kept, c)
		}
	}
	s.cells = kept
}
