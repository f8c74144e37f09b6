// Package membership publishes who is in which segment. A user is a member where the segment's
// rule is true of what is known of the user at that moment; whoever asks for one user evaluates the
// rule and needs nothing of this package but the definitions (book.go). What is kept here is for
// those who ask for all members, or follow who enters and who leaves.
//
// One process of those that share the stores publishes at a time, under a lease. It follows the
// event log (follow.go), looks at the users whom an event may have moved, compares what their
// segments are with what was last published of them, and appends the differences to the
// transitions, a stream a shard (look.go, append.go): that append is the commit point, and what is
// found by user and by segment is made from it (project.go, after a crash). What changes with time
// alone is known beforehand: a rule's answer says until when it holds, and a timer is set for that
// moment (timers.go). A new rule, or one that changed, is asked of every user once (sweep.go).
//
// Publishing again what was published already changes nothing, since only differences are
// appended; so the place in the log (checkpoint.go) may be older than what was done, after a crash,
// and each transition still comes once. A process that has lost the lease unawares cannot append:
// its successor's first row has taken the number (takeover in publisher.go).
package membership

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/model/feature"
	"github.com/attune-shop/attune/model/segment"
	"github.com/attune-shop/attune/store"
	"github.com/attune-shop/attune/store/history"
	"github.com/attune-shop/attune/store/lease"
)

const (
	// leaseName is that of the lease of the process that publishes.
	leaseName = "segments"
	// retryEvery is the wait after an error, and between two looks whether the lease is free.
	retryEvery = time.Second
)

// Log is the history as a publisher reads it; *history.History is one.
type Log interface {
	Cursor() history.Cursor
	Follow(ctx context.Context, from history.Cursor, fn func(shard int, seq store.Seq, events []event.Event) error) error
	Concerns(ctx context.Context, e *event.Event) ([]event.Visitor, error)
	EachUser(ctx context.Context, fn func(history.Sighting) error) error
}

// People tells what is known of users of one shard, in their order; *history.History does.
type People interface {
	Users(ctx context.Context, users []event.Visitor) ([]history.Person, error)
}

// Store keeps what is published.
type Store interface {
	store.Sharing
	store.Memberships
	store.Timers
	store.Checkpoints
	store.Leases
	Shards() int
}

// Options are what a Publisher is made of.
type Options struct {
	Log    Log
	People People
	Store  Store
	Book   *Book
	// Subject is what rules are asked about of a person at a time.
	Subject func(person *history.Person, now time.Time) *segment.Subject
	// Basis names what else the rules that read it depend on: a catalog, a model. Users are looked
	// at again where it becomes another.
	Basis func(segment.Reads) string
	// Retain leaves out of features what has expired; nil where nothing does.
	Retain func(*feature.State) *feature.State
	// Now is the clock.
	Now func() time.Time
	// Logger receives what an operator should know.
	Logger *slog.Logger
	// Keep is how long transitions are kept; 8 days where 0.
	Keep time.Duration
}

// defaultKeep is a week and a day: a follower may be away for a week.
const defaultKeep = 8 * 24 * time.Hour

// Publisher publishes while it is open and no other process does.
type Publisher struct {
	options Options
	shards  []*shard
	stop    context.CancelFunc
	running sync.WaitGroup
	// editing is held for reading while users are looked at, and for writing while the edition
	// by which that is done becomes another.
	editing sync.RWMutex
	edition *Edition
	reads   reads
	dirty   dirty
	place   place
	// following says that what happens from now on is seen, so that a sweep may begin.
	following atomic.Bool
	progress  atomic.Pointer[Progress]
}

// Open begins to publish, as soon as no other process does, until Close.
func Open(ctx context.Context, options Options) *Publisher {
	if options.Keep == 0 {
		options.Keep = defaultKeep
	}
	p := &Publisher{options: options, dirty: dirty{full: make(chan struct{}, 1), room: make(chan struct{}, 1)}}
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	p.stop = stop
	p.running.Go(func() { p.work(running) })
	return p
}

// Close ends what Open began, with a last checkpoint. The history must still be open.
func (p *Publisher) Close() error {
	p.stop()
	p.running.Wait()
	return nil
}

// work publishes whenever the lease is to be had, until ctx ends.
func (p *Publisher) work(ctx context.Context) {
	for ctx.Err() == nil {
		held, err := lease.Take(ctx, p.options.Store, leaseName, p.options.Logger)
		if err == nil {
			err = p.publish(held.Context())
			held.End()
		}
		if ctx.Err() != nil {
			return
		}
		if err != nil && !errors.Is(err, event.ErrBusy) {
			p.options.Logger.Error("segments are not published; will be tried again", "error", err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(retryEvery):
		}
	}
}

// publish publishes until ctx ends or something fails; what was done stays, and another call
// goes on from there.
func (p *Publisher) publish(ctx context.Context) error {
	if err := p.takeover(ctx); err != nil {
		return err
	}
	group, working := errgroup.WithContext(ctx)
	for _, work := range []func(context.Context) error{p.follow, p.drain, p.ring, p.sweep, p.edit, p.checkpoint, p.trim} {
		group.Go(func() error { return work(working) })
	}
	err := group.Wait()
	// What was done is noted, unless another process goes on with it already.
	if ctx.Err() != nil && !errors.Is(context.Cause(ctx), lease.ErrLost) {
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lease.For)
		defer cancel()
		return p.save(last)
	}
	return err
}

// shard is what is published of the users of one shard.
type shard struct {
	number int

	// mu is held while users are looked at: what was published of a user must not change between
	// the comparison and the append.
	mu sync.Mutex
	// head is the number of the last row, projected that of the last row that is found by user
	// and segment.
	head, projected store.Seq
	// unsure says that there may be rows after projected.
	unsure bool
	// written counts what was stored since head was, for stamps.
	written uint64
	// sizes are those of the segments in this shard.
	sizes map[uint32]int64
	// rung is the time before which timers were looked for: none is set before it any more.
	rung time.Time
	// touched are the users that were looked at since the sweep under way began; nil without one.
	touched map[string]struct{}
}

// stampBits are those of a stamp that count what is stored between two rows; head has the others.
const stampBits = 20

// stamp returns a number greater than every one before, of this process and of those that
// published before it: their rows are before head.
func (s *shard) stamp() uint64 {
	s.written++
	return uint64(s.head)<<stampBits | s.written
}

// manyStamps is when a row without transitions is appended, so that stamps do not run out.
const manyStamps = 1 << (stampBits - 1)

// advance notes that a row was appended.
func (s *shard) advance(seq store.Seq) { s.head, s.written = seq, 0 }

// takeover makes this process the one that publishes: it brings what was made from the
// transitions up to their heads, and sees to it that nobody else can append.
func (p *Publisher) takeover(ctx context.Context) error {
	if err := p.restore(ctx); err != nil {
		return err
	}
	p.editing.Lock()
	p.edition = p.options.Book.Current()
	p.editing.Unlock()
	p.dirty.reset(p.place.cursor())
	p.following.Store(false)
	p.shards = make([]*shard, p.options.Store.Shards())
	group, working := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0) * 4)
	for n := range p.shards {
		s := &shard{number: n, sizes: map[uint32]int64{}, rung: p.place.timers(n)}
		p.shards[n] = s
		group.Go(func() error { return p.takeShard(working, s) })
	}
	if err := group.Wait(); err != nil {
		return err
	}
	for i := range p.edition.Segments {
		number := p.edition.Segments[i].Number
		sizes, err := p.options.Store.SegmentSizes(ctx, number)
		if err != nil {
			return fmt.Errorf("sizes of segment %d: %w", number, err)
		}
		for n, size := range sizes {
			p.shards[n].sizes[number] = size
		}
	}
	for _, s := range p.shards {
		if err := p.catchUp(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

// takeShard appends a row without transitions, so that a process that published before, and does
// not know that it does no more, finds the number taken.
func (p *Publisher) takeShard(ctx context.Context, s *shard) error {
	stream := p.options.Store.Transitions()
	mark, err := stream.Mark(ctx, s.number)
	if err != nil {
		return fmt.Errorf("mark of the transitions of shard %d: %w", s.number, err)
	}
	s.projected, s.unsure = mark, true
	for {
		head, err := stream.Head(ctx, s.number)
		if err != nil {
			return fmt.Errorf("transitions of shard %d: %w", s.number, err)
		}
		s.advance(head)
		if !p.options.Store.Shared() {
			return nil
		}
		err = stream.Append(ctx, s.number, head+1, newRow(time.Time{}))
		if err == nil {
			s.advance(head + 1)
			return nil
		}
		if !errors.Is(err, store.ErrTaken) {
			return fmt.Errorf("transitions of shard %d: %w", s.number, err)
		}
	}
}

// edit works with the newest edition as soon as there is one.
func (p *Publisher) edit(ctx context.Context) error {
	for {
		changed := p.options.Book.Changed()
		if now := p.options.Book.Current(); now != p.edition {
			p.editing.Lock()
			p.edition = now
			p.editing.Unlock()
			if err := p.drop(ctx, now); err != nil {
				return err
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-changed:
		}
	}
}

// drop removes what is stored of deleted segments, of which nobody stores anything any more.
func (p *Publisher) drop(ctx context.Context, e *Edition) error {
	if len(e.Dropped) == 0 {
		return nil
	}
	gone := map[uint32]bool{}
	for _, number := range e.Dropped {
		if err := p.options.Store.DropSegment(ctx, number); err != nil {
			return fmt.Errorf("deleted segment %d: %w", number, err)
		}
		gone[number] = true
	}
	_, err := p.options.Book.Change(ctx, func(d *Definitions) error {
		kept := d.Dropped[:0]
		for _, number := range d.Dropped {
			if !gone[number] {
				kept = append(kept, number)
			}
		}
		d.Dropped = kept
		return nil
	})
	return err
}
