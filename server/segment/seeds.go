package segment

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	attunev1 "github.com/attune-shop/attune/gen/attune/v1"
	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/store/membership"
)

// seedField is the field of a request that names segments to which a rule reads likeness.
func seedField(template *attunev1.RuleTemplate) string {
	if template != nil {
		return "template.parameters.segment_id"
	}
	return "rule"
}

// seedsOf returns the segments to which a rule reads likeness, none of one that is not understood.
func (s *Service) seedsOf(text string) []string {
	if !strings.Contains(text, "likeness") { // which spares compiling most
		return nil
	}
	rule, err := s.options.Rules.Rule(text)
	if err != nil {
		return nil
	}
	return rule.Reads().Seeds
}

// readerOf returns a segment whose rule reads likeness to another one.
func (s *Service) readerOf(d *membership.Definitions, id string) (reader string, found bool) {
	for i := range d.Segments {
		if slices.Contains(s.seedsOf(d.Segments[i].Rule), id) {
			return d.Segments[i].ID, true
		}
	}
	return "", false
}

// checkSeeds refuses a segment, among the definitions as they are to be, that reads likeness to what is no other
// segment, or to one that reads likeness itself: likeness is by what users do, and not by likeness.
func (s *Service) checkSeeds(d *membership.Definitions, id, text, field string) error {
	seeds := s.seedsOf(text)
	if len(seeds) == 0 {
		return nil
	}
	if reader, found := s.readerOf(d, id); found && reader != id {
		return event.Invalid(field, "must not read likeness, for %q reads likeness to this segment", reader)
	}
	for _, seed := range seeds {
		at := slices.IndexFunc(d.Segments, func(other membership.Segment) bool { return other.ID == seed })
		switch {
		case seed == id:
			return event.Invalid(field, "reads likeness to the segment itself: %q", seed)
		case at < 0:
			return event.Invalid(field, "reads likeness to what is not a segment: %q", seed)
		case len(s.seedsOf(d.Segments[at].Rule)) > 0:
			return event.Invalid(field, "reads likeness to a segment that reads likeness itself: %q", seed)
		}
	}
	return nil
}

// checkLearned refuses to preview a rule that reads likeness to what it may not, or what was not learned.
func (s *Service) checkLearned(ctx context.Context, text, field string) error {
	seeds := s.seedsOf(text)
	for _, seed := range seeds { // some of which another process may have defined a moment ago
		if _, err := s.find(ctx, seed); err != nil && !errors.Is(err, event.ErrNotFound) && violationsOf(err) == nil {
			return err
		}
	}
	edition := s.options.Book.Current()
	if err := s.checkSeeds(&edition.Definitions, "", text, field); err != nil {
		return err
	}
	for _, seed := range seeds {
		of, err := edition.Find(seed)
		if err != nil {
			return err
		}
		learned, err := s.options.Subjects.Lookalikes.Newest(ctx, of)
		if err != nil {
			return err
		}
		if learned == nil {
			return fmt.Errorf("%w of lookalikes of %q, which LearnLookalikes makes", event.ErrNoModel, seed)
		}
	}
	return nil
}
