package feature

import (
	"cmp"
	"slices"
	"time"

	"github.com/attune-shop/attune/model/event"
)

// Windows are sums over the last 1, 7, 30 and 90 days of UTC, today included, and of all time.
type Windows struct{ D1, D7, D30, D90, All int64 }

// Amounts sums amounts of one currency, in minor units.
type Amounts struct {
	Currency string
	Windows
}

// TypeSummary tells of the events of one type.
type TypeSummary struct {
	Type   event.Type
	Counts Windows
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
	cells := s.cells
	for i := range s.kinds {
		k := &s.kinds[i]
		n := 0
		for n < len(cells) && cells[n].key.slot() == k.slot {
			n++
		}
		t := TypeSummary{Type: s.typeOf(k.slot), First: fromMicros(k.first), Last: fromMicros(k.last)}
		for _, c := range cells[:n] {
			t.count(c, today)
		}
		switch t.Type {
		case event.Purchase:
			sum.Purchases, sum.LastPurchase = t.Counts, t.Last
			sum.Averages = averages(cells[:n])
			sum.spend(t.Values, 1)
		case event.Refund:
			sum.spend(t.Values, -1)
		}
		sum.Types = append(sum.Types, t)
		cells = cells[n:]
	}
	slices.SortFunc(sum.Types, func(a, b TypeSummary) int { return cmp.Compare(a.Type, b.Type) })
	return sum
}

// count adds one cell of the type.
func (t *TypeSummary) count(c cell, today int64) {
	t.Counts.add(c, c.events, today)
	if c.key.currency() != 0 {
		amounts(&t.Values, unpackCurrency(c.key.currency())).add(c, c.amount, today)
	}
}

// add adds n in the windows that the cell's month or day is in.
func (w *Windows) add(c cell, n, today int64) {
	if !c.key.daily() {
		w.All += n
		return
	}
	age := today - c.key.period()
	for _, window := range [...]struct {
		sum  *int64
		days int64
	}{{&w.D1, 1}, {&w.D7, 7}, {&w.D30, 30}, {&w.D90, 90}} {
		if age < window.days {
			*window.sum += n
		}
	}
}

// spend adds or takes away what purchases or refunds are worth.
func (s *Summary) spend(values []Amounts, sign int64) {
	for _, v := range values {
		w := amounts(&s.Spent, v.Currency)
		w.D1 += sign * v.D1
		w.D7 += sign * v.D7
		w.D30 += sign * v.D30
		w.D90 += sign * v.D90
		w.All += sign * v.All
	}
}

// amounts returns the currency's windows in list, which stays in the order of codes.
func amounts(list *[]Amounts, currency string) *Windows {
	i, found := slices.BinarySearchFunc(*list, currency, func(a Amounts, code string) int { return cmp.Compare(a.Currency, code) })
	if !found {
		*list = slices.Insert(*list, i, Amounts{Currency: currency})
	}
	return &(*list)[i].Windows
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
