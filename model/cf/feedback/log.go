package feedback

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
		for user, log := range d.InTime() {
			for _, x := range log {
				if !yield(Interaction{UserID: d.userIDs[user], ItemID: d.itemIDs[x.Item], Weight: x.Weight, At: int64(x.At)}) {
					return
				}
			}
		}
	}
}

// InTime yields each user's interactions in the order of time, those of the same second in that
// of items. They are valid until the next user.
func (d *Dataset) InTime() iter.Seq2[int32, []Entry] {
	return func(yield func(int32, []Entry) bool) {
		var one []Entry
		for from := 0; from < len(d.log); {
			one = one[:0]
			user := d.log[from].User
			for ; from < len(d.log) && d.log[from].User == user; from++ {
				one = append(one, d.log[from])
			}
			slices.SortStableFunc(one, func(a, b Entry) int { return cmp.Compare(a.At, b.At) })
			if !yield(user, one) {
				return
			}
		}
	}
}
