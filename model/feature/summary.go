package feature

import (
	"cmp"
	"slices"
	"time"

	"github.com/attune-shop/attune/model/event"
)

// Windows are sums over the last 1, 7, 30 and 90 days of UTC, today included, and of all time.
type Windows struct{ D1, D7, D30, D90, All int64 }

// Leaves tells until when the sums of Windows stay as they are while nothing more happens: the
// day of UTC, numbered from 1970-01-01 on, with whose beginning the oldest day that adds to the
// window leaves it. It is 0 where no day does: that sum stays for good, as that of all time does.
type Leaves struct{ D1, D7, D30, D90 int64 }

// Amounts sums amounts of one currency, in minor units.
type Amounts struct {
	Currency string
	Windows
	Leaves Leaves
}

// TypeSummary tells of the events of one type.
type TypeSummary struct {
	Type   event.Type
	Counts Windows
	// Leaves is that of Counts.
	Leaves Leaves
	// Values has an element for each currency, in the order of codes.
	Values      []Amounts
	First, Last time.Time
}

// Average is the mean worth of the purchases in one currency.
type Average struct {
	// Orders is the number of purchases whose worth is known in the currency.
	Orders int64
	// Mean is rounded to the nearest minor unit, half away from zero.
	Mean event.Money
}

// Summary tells what a state amounts to at one time.
type Summary struct {
	// Types has an element for each type that ever occurred, in the order of names.
	Types     []TypeSummary
	Events    int64
	First     time.Time
	Last      time.Time
	Purchases Windows
	// Spent is what purchases are worth less refunds, in the order of currencies.
	Spent []Amounts
	// Averages are in the order of currencies.
	Averages []Average
	// LastPurchase is the zero time where there is none.
	LastPurchase time.Time
}

// Summary sums the state over windows that end with the day of now. Events of later days
// count as today's. It takes time linear in the number of types, days and months.
func (s *State) Summary(now time.Time) Summary {
	sum := Summary{Events: s.Events(), First: s.First(), Last: s.Newest()}
	if len(s.kinds) == 0 {
		return sum
	}
	today := dayOf(microsOf(now))
	sum.Types = make([]TypeSummary, 0, len(s.kinds))
	var purchases, refunds []Amounts
	cells := s.cells
	for i := range s.kinds {
		k := &s.kinds[i]
		n := 0
		for n < len(cells) && cells[n].key.slot() == k.slot {
			n++
		}
		t := s.summarize(k, cells[:n], today)
		switch t.Type {
		case event.Purchase:
			sum.Purchases, sum.LastPurchase = t.Counts, t.Last
			sum.Averages = averages(cells[:n])
			purchases = t.Values
		case event.Refund:
			refunds = t.Values
		}
		sum.Types = append(sum.Types, t)
		cells = cells[n:]
	}
	sum.Spent = Less(purchases, refunds)
	slices.SortFunc(sum.Types, func(a, b TypeSummary) int { return cmp.Compare(a.Type, b.Type) })
	return sum
}

// SummaryOf is the element of Summary's Types that is of the type, false where no event of the
// type occurred. It costs what that one type has in sums.
func (s *State) SummaryOf(t event.Type, now time.Time) (TypeSummary, bool) {
	k := s.kindOf(t)
	if k == nil {
		return TypeSummary{}, false
	}
	return s.summarize(k, s.cellsOf(k.slot), dayOf(microsOf(now))), true
}

// Count returns how many events of the type there are, and when the first and the last of them
// occurred; 0 and zero times where there are none.
func (s *State) Count(t event.Type) (n int64, first, last time.Time) {
	k := s.kindOf(t)
	if k == nil {
		return 0, time.Time{}, time.Time{}
	}
	for _, c := range s.cellsOf(k.slot) {
		if c.key.daily() {
			break // months are before days
		}
		n += c.events
	}
	return n, fromMicros(k.first), fromMicros(k.last)
}

// Currencies returns the greatest number of currencies that one type has sums in.
func (s *State) Currencies() int {
	most, n := 0, 0
	before := cellKey(0)
	for _, c := range s.cells {
		if series := c.key >> periodBits; series != before {
			if series>>(slotShift-periodBits-1) != before>>(slotShift-periodBits-1) { // another type, or days after months
				n = 0
			}
			if before = series; c.key.currency() != 0 {
				n++
			}
			most = max(most, n)
		}
	}
	return most
}

// kindOf returns what is known of a type, nil where it never occurred.
func (s *State) kindOf(t event.Type) *kind {
	slot := t.Number()
	if slot == 0 {
		slot = s.customSlot(t)
	}
	for i := range s.kinds {
		if s.kinds[i].slot == slot {
			return &s.kinds[i]
		}
	}
	return nil
}

// cellsOf returns the cells of a slot.
func (s *State) cellsOf(slot uint8) []cell {
	from, _ := slices.BinarySearchFunc(s.cells, newKey(slot, false, 0, 0), compareKey)
	n := from
	for n < len(s.cells) && s.cells[n].key.slot() == slot {
		n++
	}
	return s.cells[from:n]
}

// summarize sums the cells of one type.
func (s *State) summarize(k *kind, cells []cell, today int64) TypeSummary {
	t := TypeSummary{Type: s.typeOf(k.slot), First: fromMicros(k.first), Last: fromMicros(k.last)}
	var last *Amounts // cells of one currency follow each other
	for _, c := range cells {
		t.Counts.add(&t.Leaves, c, c.events, today)
		if c.key.currency() == 0 {
			continue
		}
		if code := unpackCurrency(c.key.currency()); last == nil || last.Currency != code {
			last = amounts(&t.Values, code)
		}
		last.add(&last.Leaves, c, c.amount, today)
	}
	return t
}

// add adds n in the windows that the cell's month or day is in.
func (w *Windows) add(leaves *Leaves, c cell, n, today int64) {
	if !c.key.daily() {
		w.All += n
		return
	}
	if n == 0 {
		return
	}
	day := c.key.period()
	age := today - day
	if age < 90 {
		w.D90 += n
		leaves.D90 = sooner(leaves.D90, day+90)
	}
	if age < 30 {
		w.D30 += n
		leaves.D30 = sooner(leaves.D30, day+30)
	}
	if age < 7 {
		w.D7 += n
		leaves.D7 = sooner(leaves.D7, day+7)
	}
	if age < 1 {
		w.D1 += n
		leaves.D1 = sooner(leaves.D1, day+1)
	}
}

// sooner returns the lesser of two days, where 0 is none.
func sooner(a, b int64) int64 {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}

// Less returns what purchases are worth less refunds, in the order of currencies, as both lists are.
func Less(purchases, refunds []Amounts) []Amounts {
	spent := slices.Clone(purchases)
	for _, r := range refunds {
		w := amounts(&spent, r.Currency)
		w.D1 -= r.D1
		w.D7 -= r.D7
		w.D30 -= r.D30
		w.D90 -= r.D90
		w.All -= r.All
		w.Leaves.D1 = sooner(w.Leaves.D1, r.Leaves.D1)
		w.Leaves.D7 = sooner(w.Leaves.D7, r.Leaves.D7)
		w.Leaves.D30 = sooner(w.Leaves.D30, r.Leaves.D30)
		w.Leaves.D90 = sooner(w.Leaves.D90, r.Leaves.D90)
	}
	return spent
}

// amounts returns the currency's amounts in list, which stays in the order of codes.
func amounts(list *[]Amounts, currency string) *Amounts {
	i, found := slices.BinarySearchFunc(*list, currency, func(a Amounts, code string) int { return cmp.Compare(a.Currency, code) })
	if !found {
		*list = slices.Insert(*list, i, Amounts{Currency: currency})
	}
	return &(*list)[i]
}

// averages sums purchases by currency; cells are those of one type, in order.
func averages(cells []cell) []Average {
	var list []Average
	for _, c := range cells {
		if c.key.daily() || c.key.currency() == 0 {
			continue
		}
		code := unpackCurrency(c.key.currency())
		if n := len(list); n == 0 || list[n-1].Mean.Currency != code {
			list = append(list, Average{Mean: event.Money{Currency: code}})
		}
		last := &list[len(list)-1]
		last.Orders += c.events
		last.Mean.Minor += c.amount
	}
	for i := range list {
		a := &list[i]
		a.Mean.Minor = rounded(a.Mean.Minor, a.Orders)
	}
	return list
}

// rounded divides to the nearest whole number, half away from zero; n must be positive.
func rounded(sum, n int64) int64 {
	if n <= 0 {
		return 0
	}
	q, rest := sum/n, sum%n
	if rest < 0 {
		rest = -rest
	}
	if rest >= n-rest {
		if sum < 0 {
			return q - 1
		}
		return q + 1
	}
	return q
}
