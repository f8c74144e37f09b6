package segment

import (
	"fmt"
	"strings"
	"time"

	"github.com/attune-shop/attune/model/cf/feedback"
	"github.com/attune-shop/attune/model/likeness"
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
	// Lookalikes is what was learned of who is like the members of segments.
	Lookalikes *audience.Lookalikes
	// Horizon is the first time that is kept as of another; nil where nothing expires.
	Horizon func(now time.Time) time.Time
}

// Of returns the subject that a person is at a time.
func (s *Subjects) Of(person *history.Person, now time.Time) *segment.Subject {
	subject := s.alone(person, now)
	subject.Likeness = func(segmentID string) segment.Likeness { return s.likeness(person, now, segmentID) }
	return subject
}

// alone returns the subject that a person is, without likeness to others.
func (s *Subjects) alone(person *history.Person, now time.Time) *segment.Subject {
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

// likeness tells how like the members of a segment a person is, who must not be one of them.
func (s *Subjects) likeness(person *history.Person, now time.Time, segmentID string) segment.Likeness {
	of, rule, err := s.Book.Current().FindRule(segmentID)
	if err != nil || rule == nil {
		return segment.Likeness{}
	}
	learned := s.Lookalikes.Current(of)
	if learned == nil {
		return segment.Likeness{}
	}
	member, until, err := rule.Evaluate(s.alone(person, now))
	if member || err != nil {
		return segment.Likeness{Until: until}
	}
	place := learned.Profile.Rank(likeness.InterestOf(person.State, s.Weights))
	return segment.Likeness{Known: true, Share: learned.Profile.Share(place), Rank: place, Until: until}
}

// Basis names what rules that read it depend on beside the users.
func (s *Subjects) Basis(reads segment.Reads) string {
	var all []string
	if reads.Likelihood {
		version := int64(0) // of no model yet
		if learned := s.Buyers.Current(); learned != nil {
			version = learned.Version
		}
		all = append(all, fmt.Sprintf("likely buyers %d", version))
	}
	edition := s.Book.Current()
	for _, id := range reads.Seeds {
		of, rule, err := edition.FindRule(id)
		if err != nil || rule == nil {
			all = append(all, fmt.Sprintf("no %q", id))
			continue
		}
		version := int64(0) // of no model yet
		if learned := s.Lookalikes.Current(of); learned != nil {
			version = learned.Version
		}
		seed := rule.Reads()
		all = append(all, fmt.Sprintf("lookalikes %d of %d.%d", version, of.Number, of.Revision))
		if seed.Scale {
			all = append(all, fmt.Sprintf("scale %d", edition.ScaleRevision))
		}
		if more := s.Basis(segment.Reads{Likelihood: seed.Likelihood}); more != "" {
			all = append(all, more)
		}
	}
	return strings.Join(all, ", ")
}
