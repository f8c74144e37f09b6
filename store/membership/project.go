package membership

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/attune-shop/attune/store"
)

// catchUp brings what is found by user and by segment up to the last row, where an error or a
// crash left it behind; s.mu is held, or nobody else has s yet. Sizes are counted anew.
func (p *Publisher) catchUp(ctx context.Context, s *shard) error {
	if !s.unsure {
		return nil
	}
	stream := p.options.Store.Transitions()
	changed := map[uint32]int64{}
	err := stream.Read(ctx, s.number, s.projected+1, func(seq store.Seq, row []byte) error {
		_, all, err := decodeRow(row)
		if err != nil {
			return fmt.Errorf("row %d of shard %d: %w", seq, s.number, err)
		}
		if seq > s.head {
			s.advance(seq)
		}
		if err := p.project(ctx, s, all, changed); err != nil {
			return err
		}
		s.projected = seq
		return nil
	})
	if err != nil {
		return fmt.Errorf("transitions of shard %d: %w", s.number, err)
	}
	for number := range changed {
		size, err := p.countMembers(ctx, s.number, number)
		if err != nil {
			return err
		}
		s.sizes[number], changed[number] = size, size
	}
	if len(changed) > 0 {
		if err := p.options.Store.PutMembers(ctx, s.number, s.stamp(), nil, changed); err != nil {
			return err
		}
	}
	s.unsure = false
	return nil
}

// project stores what a row says of its users.
func (p *Publisher) project(ctx context.Context, s *shard, all []transition, changed map[uint32]int64) error {
	if len(all) == 0 {
		return nil
	}
	ids := make([]string, len(all))
	for i := range all {
		ids[i] = all[i].userID
	}
	members, err := p.options.Store.Members(ctx, s.number, ids)
	if err != nil {
		return err
	}
	changes := make([]store.MemberChange, len(all))
	for i, t := range all {
		now := members[i]
		now.UserID = t.userID
		now.Segments = slices.DeleteFunc(slices.Clone(now.Segments), func(n uint32) bool { return slices.Contains(t.left, n) })
		now.Segments = append(now.Segments, t.entered...)
		slices.Sort(now.Segments)
		now.Segments = slices.Compact(now.Segments)
		// Of what the row says nothing is taken as known, so that it is stored whatever was.
		changes[i] = store.MemberChange{Was: t.left, Now: now}
		for _, n := range append(t.entered, t.left...) {
			changed[n] = 0
		}
	}
	return p.options.Store.PutMembers(ctx, s.number, s.stamp(), changes, nil)
}

// countMembers counts a segment's members in a shard.
func (p *Publisher) countMembers(ctx context.Context, shard int, number uint32) (n int64, err error) {
	err = p.options.Store.ReadSegment(ctx, number, store.Place{Shard: shard}, func(at store.Place) error {
		if at.Shard != shard {
			return errEnough
		}
		n++
		return nil
	})
	if errors.Is(err, errEnough) {
		err = nil
	}
	return n, err
}
