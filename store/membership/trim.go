package membership

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/attune-shop/attune/store"
	"github.com/attune-shop/attune/store/repeat"
)

// trimEvery is the time between two looks for transitions that are old enough to be deleted.
const trimEvery = 10 * time.Minute

// trim deletes transitions that are old enough, until ctx ends.
func (p *Publisher) trim(ctx context.Context) error {
	return ended(ctx, repeat.Every(ctx, trimEvery, func(ctx context.Context) error {
		for _, s := range p.shards {
			if err := p.trimShard(ctx, s); err != nil {
				return err
			}
		}
		return nil
	}))
}

// trimShard deletes the rows that are old enough but for the last of them: its time says from when on all
// rows are there (Reader.Beginning).
func (p *Publisher) trimShard(ctx context.Context, s *shard) error {
	stream := p.options.Store.Transitions()
	first, err := stream.First(ctx, s.number)
	if err != nil {
		return fmt.Errorf("transitions of shard %d: %w", s.number, err)
	}
	oldest := p.options.Now().Add(-p.options.Keep)
	last := first // that is old enough
	err = stream.Read(ctx, s.number, first, func(seq store.Seq, row []byte) error {
		at, _, err := decodeRow(row)
		if err != nil {
			return err
		}
		if !at.IsZero() && at.After(oldest) {
			return errEnough
		}
		last = seq
		return nil
	})
	if err != nil && !errors.Is(err, errEnough) {
		return fmt.Errorf("transitions of shard %d: %w", s.number, err)
	}
	if last <= first {
		return nil
	}
	return stream.Trim(ctx, s.number, last)
}
