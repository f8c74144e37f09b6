package cf

import (
	"cmp"
	"slices"
)

// MaxHistory is how many interactions a history is made of, the newest: as many as a served
// visitor's state keeps (feature.MaxRecent).
const MaxHistory = 256

// Case is one list to ask for: what is known of a visitor, and what the visitor chose next.
type Case struct {
	// History is what the visitor did, oldest first; see NewHistory.
	History []Signal
	// Relevant are the items chosen next: distinct, in order, none below 0.
	Relevant []int32
	// Unknown is how many more were chosen that the dataset does not know. No list can hold
	// them, and they count in what Recall, NDCG and MAP divide by.
	Unknown int
	// Hidden are items that are not to be in the list: those that the visitor knows and that
	// the history is too short for. They may be in the history, too.
	Hidden []int32
	// Candidates, where not nil, are the only items to rank, as in a test against sampled
	// negatives. Items below 0 among them are left out.
	Candidates []int32
}

// relevant is how many items were chosen, known or not.
func (c *Case) relevant() int { return len(c.Relevant) + c.Unknown }

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
	return d.history(int32(user))
}

func (d *Dataset) history(user int32) (history []Signal, items []int32) {
	from, _ := slices.BinarySearchFunc(d.log, user, func(x interaction, user int32) int { return int(x.user) - int(user) })
	var all []Signal
	for _, x := range d.log[from:] {
		if x.user != user {
			break
		}
		all = append(all, Signal{Item: x.item, Weight: x.weight, At: int64(x.at)})
		items = append(items, x.item)
	}
	slices.SortStableFunc(all, func(a, b Signal) int { return cmp.Compare(a.At, b.At) })
	return NewHistory(all), slices.Compact(items)
}
