package cf

import (
	"cmp"
	"iter"
	"slices"
)

// Interaction is one thing that a user did, as it was added.
type Interaction struct {
	UserID, ItemID string
	Weight         float32
	// At is in unix seconds.
	At int64
}

// Log gives every interaction that was added, by user, each user's oldest first: in the order of
// History, those of the same second in the order of items. The times are whole seconds.
func (d *Dataset) Log() iter.Seq[Interaction] {
	return func(yield func(Interaction) bool) {
		var one []interaction
		for from := 0; from < len(d.log); {
			one = one[:0]
			for user := d.log[from].user; from < len(d.log) && d.log[from].user == user; from++ {
				one = append(one, d.log[from])
			}
			slices.SortStableFunc(one, func(a, b interaction) int { return cmp.Compare(a.at, b.at) })
			for _, x := range one {
				if !yield(Interaction{UserID: d.userIDs[x.user], ItemID: d.itemIDs[x.item], Weight: x.weight, At: int64(x.at)}) {
					return
				}
			}
		}
	}
}
