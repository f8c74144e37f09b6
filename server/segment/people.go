package segment

import (
	"context"
	"errors"
	"runtime"

	"golang.org/x/sync/errgroup"

	"github.com/attune-shop/attune/store/history"
)

// handedAtOnce is the number of users that are handed to a worker.
const handedAtOnce = 500

var errEnough = errors.New("enough users")

// eachPerson calls fn, from several goroutines at once, for some people at a time: all users, or so
// many of them where most is above 0.
func (s *Service) eachPerson(ctx context.Context, most int64, fn func([]history.Person)) error {
	group, reading := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	var batch []history.Sighting
	send := func() {
		users := batch
		batch = nil
		group.Go(func() error {
			people := make([]history.Person, len(users))
			for i, seen := range users {
				var err error
				if people[i], err = s.person(reading, seen); err != nil {
					return err
				}
			}
			fn(people)
			return nil
		})
	}
	scanned := int64(0)
	err := s.options.Users.EachUser(reading, func(seen history.Sighting) error {
		if most > 0 && scanned >= most {
			return errEnough
		}
		scanned++
		if batch = append(batch, seen); len(batch) == handedAtOnce {
			send()
		}
		return reading.Err()
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
