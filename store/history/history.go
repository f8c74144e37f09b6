// Package history is the write path and its repair over the interfaces of package store,
// once for all backends: leave out duplicates, append to the log, project, acknowledge;
// and what reads the result: persons, their events, scans, followers, verification.
//
// The order of work is fixed: log, then events by visitor and links, then features, then
// the answer. A crash between any two heals at the next Open, which projects again from
// the mark on, at the next write of the shard, or by another process that shares the
// stores. Within a process each shard has one worker, which projects rows in the order of
// their numbers; rows that others append are noticed by ErrTaken or when it looks for them.
package history

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/time/rate"

	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/store"
)

// MaxEvents and MaxBytes bound the events of one visitor, in number and in their binary form,
// so that no rebuild and no partition of a store is unbounded. Purchases and refunds have
// MaxOrders and MaxOrderBytes on top of it. MaxBytes is exceeded by a row of the log at most.
const (
	MaxEvents     = 200_000
	MaxOrders     = 50_000
	MaxBytes      = 96 << 20
	MaxOrderBytes = 32 << 20
)

// Options of a History.
type Options struct {
	// Now is the clock.
	Now func() time.Time
	// Logger receives what an operator should know.
	Logger *slog.Logger
	// FlushEvery is the longest time between two flushes of features, each of which moves
	// the marks. Default 5 s; 1 s where the stores are shared, for others wait for the marks.
	FlushEvery time.Duration
	// FlushEvents is the number of events after which features are flushed sooner: about
	// what Open has to fold again after a crash. Default 300,000.
	FlushEvents int64
	// LookEvery is the time between two looks for what other processes wrote, and
	// AdoptAfter that after which a row that nobody has marked as projected is projected
	// here. Defaults 1 s and 5 s.
	LookEvery, AdoptAfter time.Duration
	// LeaveAfter is the time after which a process whose features are in another place than
	// the others', and stay there, takes that place for the right one. Default 10 s.
	LeaveAfter time.Duration
}

func (o Options) withDefaults(shared bool) Options {
	if o.FlushEvery == 0 {
		o.FlushEvery = 5 * time.Second
		if shared {
			o.FlushEvery = time.Second
		}
	}
	if o.FlushEvents == 0 {
		o.FlushEvents = 300_000
	}
	if o.LookEvery == 0 {
		o.LookEvery = time.Second
	}
	if o.AdoptAfter == 0 {
		o.AdoptAfter = 5 * time.Second
	}
	if o.LeaveAfter == 0 {
		o.LeaveAfter = 10 * time.Second
	}
	return o
}

// Outcome is what became of an event.
type Outcome uint8

// The outcomes. Each of them is final: the same event again is a Duplicate or Full.
const (
	// Accepted is durable and in its visitor's features.
	Accepted Outcome = iota + 1
	// Duplicate was, since an earlier write, whatever else this one carries.
	Duplicate
	// Full was not stored: its visitor has as many events as one may have.
	Full
)

// History is the event history of one store. Its methods may be called concurrently.
type History struct {
	stores  store.Stores
	options Options
	shards  []*shard
	stop    context.CancelFunc
	running sync.WaitGroup
	// unflushed counts the events projected since the last flush.
	unflushed atomic.Int64
	// warn lets one of the warnings of a minute through: those of all shards are alike.
	warn rate.Sometimes
}

// Open projects what a crash left between the marks and the heads, and then serves. The
// stores stay the caller's to close, after the History.
func Open(ctx context.Context, stores store.Stores, options Options) (*History, error) {
	h := &History{stores: stores, options: options.withDefaults(stores.Shared()), warn: rate.Sometimes{Interval: time.Minute}}
	healing, healCtx := errgroup.WithContext(ctx)
	healing.SetLimit(4)
	for n := range stores.Shards() {
		s := newShard(h, n)
		h.shards = append(h.shards, s)
		healing.Go(func() error {
			mark, err := stores.Mark(healCtx, n)
			if err != nil {
				return fmt.Errorf("mark of shard %d: %w", n, err)
			}
			if err := s.followFence(healCtx); err != nil {
				return err
			}
			s.projected.Store(uint64(mark))
			return s.heal(healCtx)
		})
	}
	if err := healing.Wait(); err != nil {
		return nil, err
	}
	var running context.Context
	running, h.stop = context.WithCancel(context.WithoutCancel(ctx))
	for _, s := range h.shards {
		h.running.Go(func() { s.work(running) })
	}
	h.running.Go(func() { h.flushLoop(running) })
	return h, nil
}

// Close finishes the writes under way and flushes. No Write may follow.
func (h *History) Close() error {
	h.stop()
	h.running.Wait()
	return h.flush(context.Background())
}

// shardOf returns the shard that has the visitor's events.
func (h *History) shardOf(v event.Visitor) *shard { return h.shards[store.ShardOf(v, len(h.shards))] }

// Write stores events, each on its own, and returns once every one of them is durable
// and in its visitor's features. The events must be valid and complete (event.Validate,
// event.Complete). An error says that the fate of some is unknown: the same call again
// is safe and counts nothing twice. Where too many wait already it is event.ErrExhausted.
func (h *History) Write(ctx context.Context, events []event.Event) ([]Outcome, error) {
	outcomes := make([]Outcome, len(events))
	byShard := make([]*submission, len(h.shards))
	var waiting sync.WaitGroup
	for i := range events {
		visitor := events[i].Visitor()
		n := store.ShardOf(visitor, len(h.shards))
		if byShard[n] == nil {
			byShard[n] = &submission{ended: ctx.Err, done: &waiting}
		}
		byShard[n].events = append(byShard[n].events, submitted{visitor: visitor, event: &events[i], outcome: &outcomes[i]})
	}
	for n, sub := range byShard {
		if sub != nil {
			waiting.Add(1)
			h.shards[n].submit(sub)
		}
	}
	waiting.Wait()
	var errs []error
	for _, sub := range byShard {
		if sub != nil && sub.err != nil {
			errs = append(errs, sub.err)
		}
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	return outcomes, ctx.Err()
}

// flushLoop flushes every FlushEvery, or sooner when FlushEvents are waiting.
func (h *History) flushLoop(ctx context.Context) {
	const looks = 20 // at the number of events, in the time between two flushes
	ticker := time.NewTicker(h.options.FlushEvery / looks)
	defer ticker.Stop()
	for look := 1; ; look++ {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			if look < looks && h.unflushed.Load() < h.options.FlushEvents {
				continue
			}
			look = 0
			if err := h.flush(ctx); err != nil && ctx.Err() == nil {
				h.options.Logger.Error("features not flushed; will be tried again", "error", err)
			}
		}
	}
}

// flush makes the features of every shard durable and then moves the marks.
func (h *History) flush(ctx context.Context) error {
	h.unflushed.Store(0)
	projected := make([]store.Seq, len(h.shards))
	for i, s := range h.shards {
		projected[i] = store.Seq(s.projected.Load())
		if projected[i] == s.marked {
			continue
		}
		if err := h.stores.FlushFeatures(ctx, s.number); err != nil {
			return err
		}
	}
	for i, s := range h.shards {
		if projected[i] == s.marked {
			continue
		}
		if err := h.stores.SetMark(ctx, s.number, projected[i]); err != nil {
			return err
		}
		s.marked = projected[i]
	}
	return nil
}
