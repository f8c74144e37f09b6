package eval

import "github.com/attune-shop/attune/model/event"

// Protocol is how lists are asked for and held against what was chosen next.
type Protocol struct {
	// K is the length of a list, 1 and more.
	K int
	// Seen lets items of the history into the list; where false they are never in it.
	Seen bool
	// Cut is how the interactions to foretell are told from those before them.
	Cut Cut
}

// Metric is what models are compared by.
func (p Protocol) Metric() Metric {
	switch p.Cut {
	case CutNext:
		return MRR
	case CutRandom:
		return Recall
	}
	return NDCG
}

// String says what lists are for, as in "new items, known ones among them".
func (p Protocol) String() string {
	about := map[Cut]string{CutTime: "new items", CutRandom: "other items", CutLast: "the last item", CutNext: "the next item"}[p.Cut]
	if p.Seen {
		about += ", known ones among them"
	}
	return about
}

// Cut is a way to part a dataset in what is known and what is to be foretold.
type Cut int

// The cuts. A training that is to serve one of them is best validated by the same.
const (
	// CutTime holds out what comes after one time, the same for all users.
	CutTime Cut = iota
	// CutRandom holds out some of each user's items, whenever they were chosen.
	CutRandom
	// CutLast holds out the last item of each user.
	CutLast
	// CutNext foretells each item of a session by those before it.
	CutNext
)

// Validate tells whether lists can be asked for so: an event.InvalidError where not.
func (p Protocol) Validate() error {
	if p.K < 1 {
		return event.Invalid("k", "must be at least 1")
	}
	return nil
}
