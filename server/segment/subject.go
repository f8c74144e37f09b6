package segment

import (
	"fmt"
	"time"

	"github.com/attune-shop/attune/model/cf/feedback"
	"github.com/attune-shop/attune/model/rank"
	"github.com/attune-shop/attune/model/segment"
	"github.com/attune-shop/attune/server/audience"
	"github.com/attune-shop/attune/store/history"
	"github.com/attune-shop/attune/store/membership"
)

// Subjects makes what rules are asked about of what is known of a person.
type Subjects struct {
	Book    *membership.Book
	Catalog rank.Catalog
	Weights feedback.Weights
	// Buyers is what was learned of likely buyers.
	Buyers *audience.Buyers
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
	if learned := s.Buyers.Current(); learned != nil {
		subject.Likelihood = func() (float64, time.Time) { return learned.Model.Probability(person.State, now) }
	}
	return subject
}

// Basis names what rules that read it depend on beside the users.
func (s *Subjects) Basis(reads segment.Reads) string {
	if !reads.Likelihood {
		return ""
	}
	version := int64(0) // of no model yet
	if learned := s.Buyers.Current(); learned != nil {
		version = learned.Version
	}
	return fmt.Sprintf("likely buyers %d", version)
}
