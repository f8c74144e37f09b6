package segment

import (
	"context"
	"errors"
	"runtime"
	"sync"

	"golang.org/x/sync/errgroup"

	attunev1 "github.com/attune-shop/attune/gen/attune/v1"
	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/model/segment"
	"github.com/attune-shop/attune/store/history"
)

const (
	// maxSample bounds the members in the answer to a preview, and defaultSample is their number.
	maxSample     = 1_000
	defaultSample = 10
	// previewedAtOnce is the number of users that are handed to a worker.
	previewedAtOnce = 500
)

// PreviewSegment counts the users of whom a rule is true.
func (s *Service) PreviewSegment(ctx context.Context, request *attunev1.PreviewSegmentRequest) (*attunev1.PreviewSegmentResponse, error) {
	text, err := s.ruleOf(request.GetRule(), request.GetTemplate())
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
	rule, err := s.options.Rules.Rule(text)
	if err != nil {
		return nil, err
	}
	p := preview{service: s, rule: rule, sample: sample, response: &attunev1.PreviewSegmentResponse{Rule: text}}
	if err := p.run(ctx, request.GetMaxUsers()); err != nil {
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

var errEnough = errors.New("enough users")

// run asks users, at most so many where most is above 0.
func (p *preview) run(ctx context.Context, most int64) error {
	group, asking := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	var batch []history.Sighting
	send := func() {
		users := batch
		batch = nil
		group.Go(func() error { return p.ask(asking, users) })
	}
	asked := int64(0)
	err := p.service.options.Users.EachUser(asking, func(seen history.Sighting) error {
		if most > 0 && asked >= most {
			return errEnough
		}
		asked++
		if batch = append(batch, seen); len(batch) == previewedAtOnce {
			send()
		}
		return asking.Err()
	})
	if errors.Is(err, errEnough) {
		err = nil
	}
	send()
	if failed := group.Wait(); failed != nil {
		return failed
	}
	return err
}

func (p *preview) ask(ctx context.Context, users []history.Sighting) error {
	now := p.service.options.Now()
	var members []string
	for _, seen := range users {
		person, err := p.service.person(ctx, seen)
		if err != nil {
			return err
		}
		if person.State.Events() == 0 {
			continue
		}
		if is, _, err := p.rule.Evaluate(p.service.options.Subjects.Of(&person, now)); is && err == nil {
			members = append(members, seen.User.ID())
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.response.UsersAsked += int64(len(users))
	p.response.Members += int64(len(members))
	for _, id := range members[:min(len(members), p.sample-len(p.response.GetSample()))] {
		p.response.Sample = append(p.response.Sample, &attunev1.Member{UserId: id})
	}
	return nil
}

// person returns a user as a scan saw it, or as it is now where the scan cannot tell.
func (s *Service) person(ctx context.Context, seen history.Sighting) (history.Person, error) {
	state, err := seen.State()
	if err != nil || state == nil {
		if err != nil {
			return history.Person{}, err
		}
		return s.options.People.Person(ctx, seen.User)
	}
	if s.options.Retain != nil {
		state = s.options.Retain(state)
	}
	return history.Person{Visitor: seen.User, State: state}, nil
}
