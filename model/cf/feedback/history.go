package feedback

import (
	"cmp"
	"slices"
)

// MaxHistory is how many interactions a history is made of, the newest: as many as a served
// visitor's state keeps (feature.MaxRecent).
const MaxHistory = 256

// VisitGap is the number of seconds without an interaction that ends a visit, the half hour of web
// analytics.
const VisitGap = 30 * 60

// Signal is one thing that a visitor did: the weight (Weights) of an event with an item. A
// negative one takes interest away.
type Signal struct {
	Item   int32
	Weight float32
	// At is when it was done, in unix seconds; 0 where that is not known.
	At int64
}

// NewHistory makes a history of interactions, oldest first: the newest MaxHistory of them.
// Items below 0, which are not known, take their place and are left out.
func NewHistory(interactions []Signal) []Signal {
	interactions = interactions[max(0, len(interactions)-MaxHistory):]
	return slices.DeleteFunc(slices.Clone(interactions), func(x Signal) bool { return x.Item < 0 })
}

// Index returns the number of an item, which is that in every Snapshot of this dataset, and
// false where the dataset does not know it. O(log items).
func (d *Dataset) Index(itemID string) (int32, bool) {
	i, ok := slices.BinarySearch(d.itemIDs, itemID)
	return int32(i), ok
}

// History returns a user's history, and all the user's items, in order; nothing where the
// dataset does not know the user. Interactions of the same second are in the order of items.
func (d *Dataset) History(userID string) (history []Signal, items []int32) {
	user, ok := slices.BinarySearch(d.userIDs, userID)
	if !ok {
		return nil, nil
	}
	return d.HistoryOf(int32(user))
}

// HistoryOf is History of a user by number, who there is.
func (d *Dataset) HistoryOf(user int32) (history []Signal, items []int32) {
	from, _ := slices.BinarySearchFunc(d.log, user, func(x Entry, user int32) int { return int(x.User) - int(user) })
	var all []Signal
	for _, x := range d.log[from:] {
		if x.User != user {
			break
		}
		all = append(all, Signal{Item: x.Item, Weight: x.Weight, At: int64(x.At)})
		items = append(items, x.Item)
	}
	slices.SortStableFunc(all, func(a, b Signal) int { return cmp.Compare(a.At, b.At) })
	return NewHistory(all), slices.Compact(items)
}
