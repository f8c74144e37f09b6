package segment

import (
	"context"
	"sync"

	attunev1 "github.com/attune-shop/attune/gen/attune/v1"
	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/model/segment"
	"github.com/attune-shop/attune/store/history"
)

const (
	// maxSample bounds the members in the answer to a preview, and defaultSample is their number.
	maxSample     = 1_000
	defaultSample = 10
)

// PreviewSegment counts the users of whom a rule is true.
func (s *Service) PreviewSegment(ctx context.Context, request *attunev1.PreviewSegmentRequest) (*attunev1.PreviewSegmentResponse, error) {
	text, rule, err := s.ruleOf(request.GetRule(), request.GetTemplate())
	if err != nil {
		return nil, err
	}
	sample := int(request.GetSampleSize())
	switch {
	case sample == 0:
		sample = defaultSample
	case sample < 0 || sample > maxSample:
		return nil, event.Invalid("sample_size", "must be 1..%d, or 0 for %d; is %d", maxSample, defaultSample, sample)
	case request.GetMaxUsers() < 0:
		return nil, event.Invalid("max_users", "must not be negative, is %d", request.GetMaxUsers())
	}
	if err := s.checkLearned(ctx, text, seedField(request.GetTemplate())); err != nil {
		return nil, err
	}
	p := preview{service: s, rule: rule, sample: sample, response: &attunev1.PreviewSegmentResponse{Rule: text}}
	if err := s.options.Crowd.Each(ctx, request.GetMaxUsers(), p.ask); err != nil {
		return nil, err
	}
	return p.response, nil
}

// preview is one under way.
type preview struct {
	service *Service
	rule    *segment.Rule
	sample  int

	mu       sync.Mutex
	response *attunev1.PreviewSegmentResponse
}

// ask asks the rule about some people. It may be called concurrently.
func (p *preview) ask(people []history.Person) {
	now := p.service.options.Now()
	var members []string
	for i := range people {
		person := &people[i]
		if person.State.Events() == 0 {
			continue
		}
		if is, _, err := p.rule.Evaluate(p.service.options.Subjects.Of(person, now)); is && err == nil {
			members = append(members, person.Visitor.ID())
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.response.UsersAsked += int64(len(people))
	p.response.Members += int64(len(members))
	for _, id := range members[:min(len(members), p.sample-len(p.response.GetSample()))] {
		p.response.Sample = append(p.response.Sample, &attunev1.Member{UserId: id})
	}
}
