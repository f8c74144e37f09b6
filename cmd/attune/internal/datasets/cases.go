package datasets

import (
	"slices"

	"github.com/attune-shop/attune/model/cf/eval"
	"github.com/attune-shop/attune/model/cf/feedback"
)

// Visitor is who a list is for, as a shop asks for it: a user, or somebody in a visit whom nobody knows.
type Visitor struct {
	// UserID is a user, known in training or not; "" where there is a Session.
	UserID string
	// Session are the items of the visit, oldest first.
	Session []string
}

// asked is a case and its visitor.
type asked struct {
	eval.Case
	visitor Visitor
}

// chosen gathers what users went on to choose, in the order in which users come up.
type chosen struct {
	train *feedback.Dataset
	users []string
	items map[string][]string
}

func newChosen(train *feedback.Dataset) *chosen {
	return &chosen{train: train, items: map[string][]string{}}
}

func (c *chosen) add(user, item string) {
	if _, known := c.items[user]; !known {
		c.users = append(c.users, user)
	}
	c.items[user] = append(c.items[user], item)
}

// cases asks for one list a user.
func (c *chosen) cases() []asked {
	cases := make([]asked, 0, len(c.users))
	for _, user := range c.users {
		cases = append(cases, newCase(c.train, user, c.items[user]...))
	}
	return cases
}

// newCase asks for a list for a user of the training who went on to choose items. What the
// user did in training is hidden where the protocol says so, however long ago it was.
func newCase(train *feedback.Dataset, user string, items ...string) asked {
	c := asked{visitor: Visitor{UserID: user}}
	c.History, c.Hidden = train.History(user)
	slices.Sort(items)
	for _, item := range slices.Compact(items) {
		if i, ok := train.Index(item); ok {
			c.Relevant = append(c.Relevant, i)
		} else {
			c.Unknown++
		}
	}
	slices.Sort(c.Relevant)
	return c
}
