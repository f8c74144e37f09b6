package segment

import (
	"time"

	"github.com/attune-shop/attune/model/cf/feedback"
	"github.com/attune-shop/attune/model/rank"
	"github.com/attune-shop/attune/model/segment"
	"github.com/attune-shop/attune/store/history"
	"github.com/attune-shop/attune/store/membership"
)

// Subjects makes what rules are asked about of what is known of a person.
type Subjects struct {
	Book    *membership.Book
	Catalog rank.Catalog
	Weights feedback.Weights
	// Horizon is the first time that is kept as of another; nil where nothing expires.
	Horizon func(now time.Time) time.Time
}

// Of returns the subject that a person is at a time.
func (s *Subjects) Of(person *history.Person, now time.Time) *segment.Subject {
	subject := &segment.Subject{
		AnonymousIDs: person.AnonymousIDs, State: person.State, Now: now, Horizon: s.Horizon,
		Scale: &s.Book.Current().Scale,
	}
	if person.Visitor.IsUser() {
		subject.UserID = person.Visitor.ID()
	}
	subject.Affinity = func() (categories, brands map[string]float64) {
		visitor := &rank.Visitor{Key: person.Visitor, AnonymousIDs: person.AnonymousIDs, State: person.State}
		return rank.Affinity(s.Catalog, visitor, s.Weights, now)
	}
	return subject
}

// Basis names what rules that read it depend on beside the users.
func (s *Subjects) Basis(segment.Reads) string { return "" }
