package eval

import (
	"slices"

	"github.com/attune-shop/attune/model/cf/feedback"
)

// Case is one list to ask for: what is known of a visitor, and what the visitor chose next.
type Case struct {
	// History is what the visitor did, oldest first; see NewHistory.
	History []feedback.Signal
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

// Closed returns what tells which items are not to be in the case's list.
func (c *Case) Closed(p Protocol) func(item int32) bool {
	known := slices.Clone(c.Hidden)
	if !p.Seen {
		for _, x := range c.History {
			known = append(known, x.Item)
		}
	}
	slices.Sort(known)
	return func(item int32) bool {
		_, ok := slices.BinarySearch(known, item)
		return ok
	}
}
