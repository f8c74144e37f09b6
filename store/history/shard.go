package history

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/store"
)

const (
	// maxGroup bounds the events that are committed together, where they are not of one Write.
	maxGroup = 2000
	// maxQueued bounds the events that wait for a shard: some seconds of work.
	maxQueued = 100_000
)

// submission is one Write's share of a shard.
type submission struct {
	events []submitted
	// ended tells why nobody waits for the outcome any more, nil while somebody does.
	ended func() error
	err   error
	done  *sync.WaitGroup
}

type submitted struct {
	visitor event.Visitor
	event   *event.Event
	outcome *Outcome
	view    *view // its visitor's
}

// shard is one stream of the log and its single worker. What arrives while a row is on
// its way to disk is committed together with the next.
type shard struct {
	history *History
	number  int

	mu     sync.Mutex
	queue  []*submission
	queued int           // events in queue
	wake   chan struct{} // holds one token while the queue may have something

	// projected is the number of the last row whose events are in events and features.
	projected atomic.Uint64
	// marked is the mark as it was last set; the flusher's alone.
	marked store.Seq
	// unsure says that there may be rows after projected: an append or a projection failed.
	// It and nonce are the worker's alone.
	unsure bool
	nonce  nonces
	// scratch is the worker's room for a row or a value in the making.
	scratch []byte
	// others is what the worker saw of other processes' rows.
	others others
	// tail is for those who follow.
	tail   tail
	epochs epochs
}

func newShard(h *History, number int) *shard {
	return &shard{history: h, number: number, wake: make(chan struct{}, 1), nonce: newNonces()}
}

// submit queues a submission, or ends it where too many wait.
func (s *shard) submit(sub *submission) {
	s.mu.Lock()
	if s.queued >= maxQueued {
		s.mu.Unlock()
		sub.end(fmt.Errorf("shard %d: %d events wait: %w", s.number, s.queued, event.ErrExhausted))
		return
	}
	s.queue = append(s.queue, sub)
	s.queued += len(sub.events)
	s.mu.Unlock()
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// end tells who waits for the submission.
func (sub *submission) end(err error) {
	sub.err = err
	sub.done.Done()
}

// take removes submissions from the queue, as many as are committed together.
func (s *shard) take() []*submission {
	s.mu.Lock()
	defer s.mu.Unlock()
	events, n := 0, 0
	for n < len(s.queue) && (n == 0 || events+len(s.queue[n].events) <= maxGroup) {
		events += len(s.queue[n].events)
		n++
	}
	group := s.queue[:n:n]
	s.queue = s.queue[n:]
	s.queued -= events
	if len(s.queue) == 0 {
		s.queue = nil
	}
	return group
}

// work commits groups until ctx ends and the queue is empty. Where others share the
// stores, it looks for what they wrote.
func (s *shard) work(ctx context.Context) {
	// A write that was taken in is carried through, whatever ends meanwhile.
	writing := context.WithoutCancel(ctx)
	var look <-chan time.Time
	if s.history.stores.Shared() {
		ticker := time.NewTicker(s.history.options.LookEvery)
		defer ticker.Stop()
		look = ticker.C
	}
	for {
		for group := s.take(); len(group) > 0; group = s.take() {
			s.commitGroup(writing, group)
		}
		select {
		case <-ctx.Done():
			return
		case <-s.wake:
		case <-look:
			s.lookAtOthers(ctx)
		}
	}
}

// commitGroup commits those submissions that somebody waits for.
func (s *shard) commitGroup(ctx context.Context, group []*submission) {
	waited := group[:0:0]
	var pending []submitted
	for _, sub := range group {
		if err := sub.ended(); err != nil {
			sub.end(err)
			continue
		}
		waited = append(waited, sub)
		pending = append(pending, sub.events...)
	}
	err := s.commit(ctx, pending)
	for _, sub := range waited {
		sub.end(err)
	}
}

// commit brings events into the log and its projections and sets their outcomes. After an
// error their fate is unknown, and the shard catches up before the next commit.
func (s *shard) commit(ctx context.Context, pending []submitted) (err error) {
	defer func() { s.unsure = s.unsure || err != nil }()
	for len(pending) > 0 {
		if s.unsure {
			if err := s.catchUp(ctx); err != nil {
				return err
			}
			s.unsure = false
		}
		if err := s.load(ctx, pending); err != nil {
			return err
		}
		if pending, err = s.leaveOutDuplicates(ctx, pending); err != nil || len(pending) == 0 {
			return err
		}
		fresh := make([]entry, len(pending))
		for i, p := range pending {
			fresh[i] = entry{event: p.event, view: p.view}
		}
		seq := store.Seq(s.projected.Load()) + 1
		var row []byte
		var n int
		row, n, s.scratch = encodeRow(s.scratch, s.nonce.next(), fresh)
		err = s.history.stores.Append(ctx, s.number, seq, row)
		if errors.Is(err, store.ErrTaken) {
			// Another writer was faster; what it wrote may make duplicates of ours.
			s.unsure = true
			continue
		}
		if err != nil {
			return fmt.Errorf("append to shard %d: %w", s.number, err)
		}
		if err := s.project(ctx, seq, fresh[:n]); err != nil {
			return err
		}
		s.tail.add(seq, row)
		pending = pending[n:]
	}
	return nil
}

// leaveOutDuplicates decides every outcome and returns the events that are new.
func (s *shard) leaveOutDuplicates(ctx context.Context, pending []submitted) ([]submitted, error) {
	var asked []store.Record
	var maybe []submitted
	fresh := make([]submitted, 0, len(pending))
	accept := func(p submitted) {
		if p.view.full(p.event.Type) {
			*p.outcome = Full
			return
		}
		p.view.incoming++
		*p.outcome = Accepted
		fresh = append(fresh, p)
	}
	type key struct {
		view *view
		id   string
	}
	seen := make(map[key]struct{}, len(pending))
	for _, p := range pending {
		if _, again := seen[key{p.view, p.event.ID}]; again {
			*p.outcome = Duplicate
			continue
		}
		seen[key{p.view, p.event.ID}] = struct{}{}
		if p.view.absent(p.event.ID) {
			accept(p)
			continue
		}
		asked = append(asked, store.Record{Visitor: p.visitor, EventID: p.event.ID})
		maybe = append(maybe, p)
	}
	if len(asked) == 0 {
		return fresh, nil
	}
	stored, err := s.history.stores.HasEvents(ctx, s.number, asked)
	if err != nil {
		return nil, err
	}
	for i, p := range maybe {
		if stored[i] {
			*p.outcome = Duplicate
		} else {
			accept(p)
		}
	}
	return fresh, nil
}
