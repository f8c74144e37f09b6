package datasets

import (
	"cmp"
	"math"
	"slices"

	"github.com/attune-shop/attune/model/cf/eval"
	"github.com/attune-shop/attune/model/cf/feedback"
)

// sessionStep is the seconds between the beginnings of n sessions whose times are not known: an
// hour, which is longer than any session at a click a second, or as much as a dataset's clock
// has room for.
func sessionStep(n int) int64 { return min(3600, max(1, math.MaxUint32/int64(n+1))) }

// session is what one user of a table did, in the order of time.
type session struct{ records []record }

func (s *session) items() []string {
	items := make([]string, len(s.records))
	for i, r := range s.records {
		items[i] = r.item
	}
	return items
}

// readSessions reads the users of a table in the order in which they come up. Lines of the
// same time are in the order of the file, which is kept by times a second apart. Where any line
// has no time the order of the file counts, and sessions begin sessionStep apart.
func readSessions(path string) ([]*session, error) {
	var users []*session
	places := map[string]*session{}
	timed := true
	err := eachRecord(path, func(r record) error {
		u := places[r.user]
		if u == nil {
			u = &session{}
			places[r.user] = u
			users = append(users, u)
		}
		u.records = append(u.records, r)
		timed = timed && r.timed
		return nil
	})
	step := sessionStep(len(users))
	for n, u := range users {
		if timed {
			slices.SortStableFunc(u.records, func(a, b record) int { return cmp.Compare(a.at, b.at) })
		} else {
			for i := range u.records {
				u.records[i].at = int64(n) * step
			}
		}
		for i := 1; i < len(u.records); i++ {
			u.records[i].at = max(u.records[i].at, u.records[i-1].at+1)
		}
	}
	return users, err
}

// newPrefix asks for what follows clicks that are a second apart, from a time on. Hidden are
// those that the history is too short for.
func newPrefix(train *feedback.Dataset, prefix []string, next string, from int64) asked {
	clicks := make([]feedback.Signal, len(prefix))
	for place, item := range prefix {
		i, ok := train.Index(item)
		if !ok {
			i = -1
		}
		clicks[place] = feedback.Signal{Item: i, Weight: 1, At: from + int64(place)}
	}
	c := asked{Case: eval.Case{History: feedback.NewHistory(clicks)}, visitor: Visitor{Session: prefix}}
	if len(clicks) > feedback.MaxHistory {
		for _, x := range clicks {
			c.Hidden = append(c.Hidden, x.Item)
		}
	}
	if i, ok := train.Index(next); ok {
		c.Relevant = []int32{i}
	} else {
		c.Unknown = 1
	}
	return c
}
