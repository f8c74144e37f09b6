package membership

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/store"
)

// appendTransitions appends who entered and left; s.mu is held.
func (p *Publisher) appendTransitions(ctx context.Context, s *shard, answers []answer, now time.Time) error {
	var row []byte
	flush := func() error {
		if row == nil {
			return nil
		}
		err := p.appendRow(ctx, s, row)
		row = nil
		return err
	}
	for i := range answers {
		a := &answers[i]
		if len(a.entered)+len(a.left) == 0 {
			continue
		}
		if row == nil {
			row = newRow(now)
		}
		if row = a.append(row); len(row) >= maxRowBytes {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	return flush()
}

// appendRow appends a row to the transitions; s.mu is held.
func (p *Publisher) appendRow(ctx context.Context, s *shard, row []byte) error {
	err := p.options.Store.Transitions().Append(ctx, s.number, s.head+1, row)
	switch {
	case errors.Is(err, store.ErrTaken):
		return fmt.Errorf("another process publishes segments: %w", event.ErrUnavailable)
	case err != nil:
		return fmt.Errorf("transitions of shard %d: %w", s.number, err)
	}
	s.advance(s.head + 1)
	return nil
}

// store stores what the answers changed, timers first: where a user is said to have one, there is
// one. s.mu is held.
func (p *Publisher) store(ctx context.Context, s *shard, answers []answer) error {
	var timers []store.Timer
	var changes []store.MemberChange
	sizes := map[uint32]int64{}
	for i := range answers {
		a := &answers[i]
		if !a.asked || a.was.Due.Equal(a.now.Due) && slices.Equal(a.was.Segments, a.now.Segments) {
			continue
		}
		if !a.now.Due.IsZero() && !a.now.Due.Equal(a.was.Due) {
			timers = append(timers, store.Timer{At: a.now.Due, UserID: a.userID})
		}
		changes = append(changes, store.MemberChange{Was: a.was.Segments, Now: a.now})
		s.count(sizes, &a.transition)
	}
	if len(timers) > 0 {
		if err := p.options.Store.PutTimers(ctx, s.number, timers); err != nil {
			return fmt.Errorf("timers of shard %d: %w", s.number, err)
		}
	}
	if len(changes) == 0 {
		return nil
	}
	if err := p.options.Store.PutMembers(ctx, s.number, s.stamp(), changes, sizes); err != nil {
		return fmt.Errorf("members of shard %d: %w", s.number, err)
	}
	return nil
}

// count takes a transition into the shard's sizes and notes which of them changed.
func (s *shard) count(changed map[uint32]int64, t *transition) {
	for _, n := range t.entered {
		s.sizes[n]++
		changed[n] = s.sizes[n]
	}
	for _, n := range t.left {
		s.sizes[n]--
		changed[n] = s.sizes[n]
	}
}
