package likeness

import (
	"cmp"
	"slices"

	"github.com/cespare/xxhash/v2"
)

const (
	// maxSampled bounds the members that are kept, and the others.
	maxSampled = 50_000
	// maxParts bounds their items: 100 MB of each.
	maxParts = 4_000_000
)

// Samples gathers users to learn a profile from. It is not safe for concurrent use.
type Samples struct {
	members, others drawn
	// names has the id of each item once: those of states do not outlive them.
	names map[string]string
}

// sample is one user.
type sample struct {
	draw     uint64
	interest Interest
	events   int64
}

// Add adds a user with the number of events, and says whether it is a member of the seed. Who comes again
// counts once. Which users are kept where there are too many does not depend on the order in which they come.
func (s *Samples) Add(userID string, interest Interest, events int64, member bool) {
	to := &s.others
	if member {
		to = &s.members
	}
	draw := xxhash.Sum64String(userID)
	if !to.keeps(draw) {
		return
	}
	if s.names == nil {
		s.names = map[string]string{}
	}
	named := make(Interest, len(interest))
	for i, x := range interest {
		name, known := s.names[x.ItemID]
		if !known {
			name = x.ItemID
			s.names[name] = name
		}
		named[i] = Liked{name, x.Part}
	}
	to.add(sample{draw, named, events})
}

// drawn are users, drawn by a hash of their ids where there are too many.
type drawn struct {
	all   map[uint64]sample
	parts int
	// shift is how often the share that is kept was halved.
	shift uint
}

func (d *drawn) keeps(draw uint64) bool { return d.shift == 0 || draw>>(64-d.shift) == 0 }

func (d *drawn) add(s sample) {
	if d.all == nil {
		d.all = map[uint64]sample{}
	}
	d.parts += len(s.interest) - len(d.all[s.draw].interest)
	d.all[s.draw] = s
	for len(d.all) > maxSampled || d.parts > maxParts {
		d.shift++
		for draw, x := range d.all {
			if !d.keeps(draw) {
				d.parts -= len(x.interest)
				delete(d.all, draw)
			}
		}
	}
}

// total returns how many users there are, by those that are kept.
func (d *drawn) total() int64 { return int64(len(d.all)) << d.shift }

// ordered returns the users in an order that does not depend on that in which they came.
func (d *drawn) ordered() []sample {
	all := make([]sample, 0, len(d.all))
	for _, x := range d.all {
		all = append(all, x)
	}
	slices.SortFunc(all, func(a, b sample) int { return cmp.Compare(a.draw, b.draw) })
	return all
}
