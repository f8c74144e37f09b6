package datasets

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/attune-shop/attune/model/cf/eval"
	"github.com/attune-shop/attune/model/event"
)

// The protocols of CSV by name.
const (
	TopK        = "top-k"
	NextItem    = "next-item"
	LeaveOneOut = "leave-one-out"
)

// Files are a data set of one's own: tables of user, item and maybe time, weight or event.
type Files struct {
	Train string
	// Test holds what was chosen next. By TopK all items of a user are asked for by one list,
	// by LeaveOneOut each line by one, and by NextItem each line of a user but the first by
	// the lines before it in this file.
	Test string
	// Prefixes, in place of Test by NextItem, has lines of items, a tab, and the next item.
	Prefixes string
	// Negatives, by LeaveOneOut, has a line for each of Test: (user,item), and the items among
	// which to find that item, parted by tabs; or all of that parted by commas.
	Negatives string
	// Protocol is TopK, NextItem or LeaveOneOut.
	Protocol string
	// K is the length of a list.
	K int
	// Seen lets items that the user knows into the list.
	Seen bool
}

// OpenCSV reads them.
func OpenCSV(f Files) (*Set, error) {
	s := &Set{Protocol: eval.Protocol{K: f.K, Seen: f.Seen}}
	var err error
	switch f.Protocol {
	case TopK:
		s.Protocol.Cut = eval.CutRandom
		s.Metrics = []eval.Metric{eval.NDCG, eval.Recall, eval.Precision, eval.MAP, eval.HitRate}
		err = s.readTopK(f)
	case LeaveOneOut:
		s.Protocol.Cut = eval.CutLast
		s.Metrics = []eval.Metric{eval.HitRate, eval.NDCG, eval.MRR}
		err = s.readLeaveOneOut(f)
	case NextItem:
		s.Protocol.Cut = eval.CutNext
		s.Metrics = []eval.Metric{eval.HitRate, eval.MRR, eval.NDCG}
		err = s.readNextItem(f)
	default:
		return nil, event.Invalid("protocol", "must be %s", listed([]string{TopK, NextItem, LeaveOneOut}))
	}
	if err == nil && len(s.asked) == 0 {
		err = fmt.Errorf("%s has nothing to test", cmp.Or(f.Prefixes, f.Test))
	}
	if err != nil {
		return nil, err
	}
	return s.finished(), nil
}

func (s *Set) readTable(path string) error {
	t := newTrains()
	err := eachRecord(path, func(r record) error {
		t.add(r)
		return nil
	})
	if err != nil {
		return err
	}
	return t.build(path, s)
}

func (s *Set) readTopK(f Files) error {
	if err := s.readTable(f.Train); err != nil {
		return err
	}
	users := newChosen(s.Train)
	err := eachRecord(f.Test, func(r record) error {
		users.add(r.user, r.item)
		return nil
	})
	s.asked = users.cases()
	return err
}

func (s *Set) readLeaveOneOut(f Files) error {
	if err := s.readTable(f.Train); err != nil {
		return err
	}
	if f.Negatives == "" {
		var err error
		s.asked, err = readLast(f.Test, s.Train)
		return err
	}
	negatives, err := readNegatives(f.Negatives)
	if err != nil {
		return err
	}
	return eachRecord(f.Test, func(r record) error {
		among, ok := negatives[pair{r.user, r.item}]
		if !ok {
			return fmt.Errorf("%s has no line for user %q and item %q", f.Negatives, r.user, r.item)
		}
		c := newCase(s.Train, r.user, r.item)
		c.Candidates = slices.Clone(c.Relevant)
		for _, item := range among {
			if i, ok := s.Train.Index(item); ok {
				c.Candidates = append(c.Candidates, i)
			}
		}
		s.asked = append(s.asked, c)
		return nil
	})
}

func (s *Set) readNextItem(f Files) error {
	users, err := readSessions(f.Train)
	if err != nil {
		return err
	}
	t := newTrains()
	var end int64
	for _, u := range users {
		for _, r := range u.records {
			t.add(r)
			end = max(end, r.at+1)
		}
	}
	if err := t.build(f.Train, s); err != nil {
		return err
	}
	if f.Prefixes != "" {
		s.asked, err = readPrefixes(f.Prefixes, s.Train, end)
		return err
	}
	tested, err := readSessions(f.Test)
	for _, u := range tested {
		items := u.items()
		for n := 1; n < len(items); n++ {
			s.asked = append(s.asked, newPrefix(s.Train, items[:n], items[n], end))
		}
	}
	return err
}
