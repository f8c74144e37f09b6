package history

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/store"
)

// maxGroup bounds the events of one log row.
const maxGroup = 2000

// submission is one Write's share of a shard.
type submission struct {
	events   []submitted
	outcomes []Outcome
	err      error
	done     *sync.WaitGroup
}

type submitted struct {
	visitor event.Visitor
	event   *event.Event
	index   int   // into outcomes
	view    *view // its visitor's
}

// shard is one stream of the log and its single worker. What arrives while a row is on
// its way to disk is committed together with the next.
type shard struct {
	history *History
	number  int

	mu    sync.Mutex
	queue []*submission
	wake  chan struct{} // holds one token while the queue may have something

	// projected is the number of the last row whose events are in events and features.
	projected atomic.Uint64
	// marked is the mark as it was last set; the flusher's alone.
	marked store.Seq
	// unsure says that rows may stand behind projected: an append or a projection failed.
	// It and nonce are the worker's alone.
	unsure bool
	nonce  nonces
	// scratch is the worker's room for a row or a value in the making.
	scratch []byte
	// tail is for those who follow.
	tail tail
}

func newShard(h *History, number int) *shard {
	return &shard{history: h, number: number, wake: make(chan struct{}, 1), nonce: newNonces()}
}

func (s *shard) submit(sub *submission) {
	s.mu.Lock()
	s.queue = append(s.queue, sub)
	s.mu.Unlock()
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// take removes submissions from the queue, as many as make one row.
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
	if len(s.queue) == 0 {
		s.queue = nil
	}
	return group
}

// work commits groups until ctx ends and the queue is empty.
func (s *shard) work(ctx context.Context) {
	// A write that was taken in is carried through, whatever ends meanwhile.
	writing := context.WithoutCancel(ctx)
	for {
		for group := s.take(); len(group) > 0; group = s.take() {
			err := s.commit(writing, group)
			for _, sub := range group {
				sub.err = err
				sub.done.Done()
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-s.wake:
		}
	}
}

// commit brings a group of submissions into the log and its projections and sets their
// outcomes. After an error their fate is unknown, and the shard catches up before the
// next commit.
func (s *shard) commit(ctx context.Context, group []*submission) (err error) {
	defer func() {
		if err != nil {
			s.unsure = true
			s.history.options.Logger.Error("write failed", "shard", s.number, "error", err)
		}
	}()
	for {
		if s.unsure {
			if err := s.catchUp(ctx); err != nil {
				return err
			}
			s.unsure = false
		}
		if err := s.load(ctx, group); err != nil {
			return err
		}
		fresh, err := s.leaveOutDuplicates(ctx, group)
		if err != nil || len(fresh) == 0 {
			return err
		}
		seq := store.Seq(s.projected.Load()) + 1
		var row []byte
		row, s.scratch = encodeRow(s.scratch, s.nonce.next(), fresh)
		err = s.history.stores.Append(ctx, s.number, seq, row)
		if errors.Is(err, store.ErrTaken) {
			// Another writer was faster; what it wrote may make duplicates of ours.
			s.unsure = true
			continue
		}
		if err != nil {
			return fmt.Errorf("append to shard %d: %w", s.number, err)
		}
		if err := s.project(ctx, seq, fresh); err != nil {
			return err
		}
		s.tail.add(seq, row)
		return nil
	}
}

// leaveOutDuplicates decides every outcome of the group and returns the events that are new.
func (s *shard) leaveOutDuplicates(ctx context.Context, group []*submission) ([]entry, error) {
	type place struct {
		sub *submission
		at  int
	}
	var asked []store.Record
	var places []place
	events := 0
	for _, sub := range group {
		events += len(sub.events)
	}
	fresh := make([]entry, 0, events)
	accept := func(sub *submission, e submitted) {
		if e.view.full(e.event.Type) {
			sub.outcomes[e.index] = Full
			return
		}
		e.view.incoming++
		sub.outcomes[e.index] = Accepted
		fresh = append(fresh, entry{event: e.event, view: e.view})
	}
	type key struct {
		view *view
		id   string
	}
	inGroup := make(map[key]struct{}, events)
	for _, sub := range group {
		for at, e := range sub.events {
			if _, again := inGroup[key{e.view, e.event.ID}]; again {
				sub.outcomes[e.index] = Duplicate
				continue
			}
			inGroup[key{e.view, e.event.ID}] = struct{}{}
			if e.view.absent(e.event.ID) {
				accept(sub, e)
				continue
			}
			asked = append(asked, store.Record{Visitor: e.visitor, EventID: e.event.ID})
			places = append(places, place{sub, at})
		}
	}
	if len(asked) == 0 {
		return fresh, nil
	}
	stored, err := s.history.stores.HasEvents(ctx, s.number, asked)
	if err != nil {
		return nil, err
	}
	for i, p := range places {
		e := p.sub.events[p.at]
		if stored[i] {
			p.sub.outcomes[e.index] = Duplicate
		} else {
			accept(p.sub, e)
		}
	}
	return fresh, nil
}
