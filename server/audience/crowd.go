package audience

import (
	"context"
	"errors"
	"runtime"

	"golang.org/x/sync/errgroup"

	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/model/feature"
	"github.com/attune-shop/attune/store/history"
)

// People tells who visitors are; *history.History does.
type People interface {
	Person(ctx context.Context, v event.Visitor) (history.Person, error)
}

// Users are all there are; *history.History has them.
type Users interface {
	EachUser(ctx context.Context, fn func(history.Sighting) error) error
}

// Crowd is everybody who ever did something under a user's name.
type Crowd struct {
	Users  Users
	People People
	// Retain leaves out of features what has expired; nil where nothing does.
	Retain func(*feature.State) *feature.State
}

// handedAtOnce is the number of users that are handed to a worker.
const handedAtOnce = 500

var errEnough = errors.New("enough users")

// Each calls fn, from several goroutines at once, for some people at a time: all users, or so many
// of them where most is above 0. Somebody may come again.
func (c *Crowd) Each(ctx context.Context, most int64, fn func([]history.Person)) error {
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
				if people[i], err = c.person(reading, seen); err != nil {
					return err
				}
			}
			fn(people)
			return nil
		})
	}
	scanned := int64(0)
	err := c.Users.EachUser(reading, func(seen history.Sighting) error {
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
func (c *Crowd) person(ctx context.Context, seen history.Sighting) (history.Person, error) {
	state, err := seen.State()
	switch {
	case err != nil:
		return history.Person{}, err
	case state == nil:
		return c.People.Person(ctx, seen.User)
	case c.Retain != nil:
		state = c.Retain(state)
	}
	return history.Person{Visitor: seen.User, State: state}, nil
}
