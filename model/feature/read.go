package feature

import (
	"slices"
	"time"

	"github.com/attune-shop/attune/model/event"
)

// Interaction is one item of one event.
type Interaction struct {
	ItemID string
	Type   event.Type
	At     time.Time
	// Fingerprint is that of the event's id.
	Fingerprint uint64
	// Quantity is in pieces; 1 where the event has no lines.
	Quantity int64
}

// Recent returns the newest interactions with items, newest first, at most MaxRecent.
func (s *State) Recent() []Interaction { return s.AppendRecent(nil) }

// AppendRecent appends Recent to all.
func (s *State) AppendRecent(all []Interaction) []Interaction { return s.interactions(all, s.recent) }

// Overflown tells whether Recent is full: whether there may have been older interactions.
func (s *State) Overflown() bool { return len(s.recent) >= MaxRecent }

// AppendInteractions appends an event's interactions, as a State would keep them.
func AppendInteractions(all []Interaction, e *event.Event) []Interaction {
	print := Fingerprint(e.ID)
	eachItem(e, func(item string, quantity int64) {
		all = append(all, Interaction{ItemID: item, Type: e.Type, At: e.OccurredAt, Fingerprint: print, Quantity: quantity})
	})
	return all
}

// Orders returns the newest lines of purchases and refunds, newest first, at most MaxOrders.
func (s *State) Orders() []Interaction { return s.interactions(nil, s.orders) }

func (s *State) interactions(all []Interaction, list []entry) []Interaction {
	all = slices.Grow(all, len(list))
	for i := range list {
		e := &list[i]
		all = append(all, Interaction{
			ItemID: s.table.text[e.item], Type: s.entryType(e), At: fromMicros(e.at),
			Fingerprint: e.print, Quantity: int64(e.quantity),
		})
	}
	return all
}

// Cart returns the items that the recent interactions leave in the cart, the last touched
// first: what was added, less what was removed, and nothing that was purchased since.
func (s *State) Cart() []string {
	return s.balance(s.recent, func(t event.Type, pieces, quantity int64) (int64, bool) {
		switch t {
		case event.AddToCart:
			return pieces + quantity, true
		case event.RemoveFromCart:
			return max(pieces-quantity, 0), true
		case event.Purchase:
			return 0, true
		}
		return pieces, false
	})
}

// Bought returns the items of which, as far as Orders goes back, more pieces were
// purchased than refunded later, the last ordered first.
func (s *State) Bought() []string {
	return s.balance(s.orders, func(t event.Type, pieces, quantity int64) (int64, bool) {
		if t == event.Refund {
			return max(pieces-quantity, 0), true
		}
		return pieces + quantity, true
	})
}

// Seen returns the items that were viewed or selected, as far as Recent goes back, the
// last seen first.
func (s *State) Seen() []string {
	return s.balance(s.recent, func(t event.Type, pieces, _ int64) (int64, bool) {
		if t == event.ViewItem || t == event.SelectItem {
			return 1, true
		}
		return pieces, false
	})
}

// balance plays a list back from its oldest entry on, keeping a number of pieces an item,
// and returns the items that end with some: the one that counted last comes first. Next
// returns the pieces after an entry, and whether the entry counted.
func (s *State) balance(list []entry, next func(t event.Type, pieces, quantity int64) (int64, bool)) []string {
	if len(list) == 0 {
		return nil
	}
	order, rank := s.arrange(nil, nil)
	pieces := make([]int64, len(order))
	last := make([]int32, len(order)) // 1 + the place in list of the last entry that counted
	for i := len(list) - 1; i >= 0; i-- {
		e := &list[i]
		item := rank[e.item]
		after, counted := next(s.entryType(e), pieces[item], int64(e.quantity))
		if counted {
			pieces[item], last[item] = after, int32(i)+1
		}
	}
	var items []string
	for i := range list {
		e := &list[i]
		if item := rank[e.item]; pieces[item] > 0 && last[item] == int32(i)+1 {
			items = append(items, s.table.text[e.item])
		}
	}
	return items
}
