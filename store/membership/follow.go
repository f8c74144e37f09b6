package membership

import (
	"context"
	"errors"
	"maps"
	"runtime"
	"slices"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/sync/errgroup"

	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/store"
)

const (
	// minWait and maxWait are how long users wait who may have moved: what several events within it
	// move is looked at once, and users who are neighbours in the store are read together. In between
	// it is restTimes as long as it took to look at those before, so that who writes events has
	// the processors.
	minWait, maxWait = 20 * time.Millisecond, time.Second
	restTimes        = 4
	// maxDirty bounds the users who wait; beyond it the log is read on more slowly.
	maxDirty = 100_000
	// remembered is the number of users and of links that are remembered not to be new.
	remembered = 200_000
)

// link is a link as it was last seen.
type link struct{ anonymousID, userID string }

// follower reads the log for a Publisher. It remembers who is no news.
type follower struct {
	*Publisher
	ctx   context.Context //nolint:containedctx // Follow calls back without one
	users *lru.Cache[event.Visitor, struct{}]
	links *lru.Cache[link, time.Time]
}

func newFollower(ctx context.Context, p *Publisher) (*follower, error) {
	f := &follower{Publisher: p, ctx: ctx}
	var err error
	if f.users, err = lru.New[event.Visitor, struct{}](remembered); err != nil {
		return nil, err
	}
	if f.links, err = lru.New[link, time.Time](remembered); err != nil {
		return nil, err
	}
	return f, nil
}

// follow notes whom the events of the log may have moved, as long as there are segments.
func (p *Publisher) follow(ctx context.Context) error {
	f, err := newFollower(ctx, p)
	if err != nil {
		return err
	}
	from := p.place.cursor()
	for {
		changed := p.options.Book.Changed()
		if len(p.options.Book.Current().Segments) > 0 {
			if from == nil { // nothing before now is missed: every segment is new, and swept
				from = p.options.Log.Cursor()
				p.dirty.reset(maps.Clone(from))
				p.place.begin(from) // before a sweep may end, for it is what the sweep counts on
			}
			p.following.Store(true)
			err := p.options.Log.Follow(ctx, from, f.note)
			if ctx.Err() != nil {
				return nil
			}
			if !errors.Is(err, errNoSegments) {
				return err
			}
			p.following.Store(false)
			from = nil
			continue
		}
		p.place.forget()
		from = nil
		select {
		case <-ctx.Done():
			return nil
		case <-changed:
		}
	}
}

// errNoSegments ends the following of the log.
var errNoSegments = errors.New("there are no segments")

// note notes whom a row's events may have moved.
func (f *follower) note(shard int, seq store.Seq, events []event.Event) error {
	e := f.options.Book.Current()
	if len(e.Segments) == 0 {
		return errNoSegments
	}
	for i := range events {
		if err := f.noteEvent(e, &events[i]); err != nil {
			return err
		}
	}
	for waiting := f.dirty.reach(shard, seq); waiting > maxDirty; waiting = f.dirty.waiting() {
		signal(f.dirty.full)
		select {
		case <-f.dirty.room:
		case <-f.ctx.Done():
			return f.ctx.Err()
		}
	}
	return nil
}

func (f *follower) noteEvent(e *Edition, ev *event.Event) error {
	which, strangers := f.reads.of(e, ev.Type)
	visitor := ev.Visitor()
	if !f.users.Contains(visitor) {
		which = which.or(strangers)
	}
	if f.isNews(ev) {
		which = nil // all that was done under the anonymous id may belong to somebody else now
	}
	if which.empty() {
		return nil
	}
	users, err := f.options.Log.Concerns(f.ctx, ev)
	if err != nil {
		return err
	}
	f.dirty.mu.Lock()
	defer f.dirty.mu.Unlock()
	for _, user := range users {
		f.dirty.add(e, user.ID(), which)
	}
	f.users.Add(visitor, struct{}{})
	return nil
}

// isNews tells whether an event links an anonymous visitor and a user who were not seen together
// lately, or only later.
func (f *follower) isNews(ev *event.Event) bool {
	l, linked := ev.Link()
	if !linked {
		return false
	}
	key := link{l.AnonymousID, l.UserID}
	if at, known := f.links.Get(key); known && !l.OccurredAt.Before(at) {
		return false
	}
	f.links.Add(key, l.OccurredAt)
	return true
}

// drain looks at the users whom events may have moved, until ctx ends.
func (p *Publisher) drain(ctx context.Context) error {
	wait := minWait
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-p.dirty.full:
		case <-time.After(wait):
		}
		began := time.Now()
		e, users, cursor := p.dirty.take()
		if err := p.lookAtAll(ctx, e, users); err != nil {
			return ended(ctx, err)
		}
		p.place.reach(cursor)
		wait = min(max(restTimes*time.Since(began), minWait), maxWait)
	}
}

// lookAtAll looks at users of all shards: of one shard after the other, unless there are so many that
// the log waits. Then who writes events has to leave more of the processors to it, lest members fall
// behind for good.
func (p *Publisher) lookAtAll(ctx context.Context, e *Edition, users map[string]bits) error {
	byShard := make([][]question, len(p.shards))
	for id, which := range users {
		n := store.ShardOf(event.User(id), len(p.shards))
		byShard[n] = append(byShard[n], question{userID: id, which: which})
	}
	group, looking := errgroup.WithContext(ctx)
	group.SetLimit(1)
	if len(users) >= maxDirty {
		group.SetLimit(2 * runtime.GOMAXPROCS(0))
	}
	for n, questions := range byShard {
		group.Go(func() error {
			slices.SortFunc(questions, byUser)
			return p.look(looking, p.shards[n], e, questions)
		})
	}
	return group.Wait()
}

// ended leaves out an error that only says that the work has ended.
func ended(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}
