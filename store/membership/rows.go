package membership

import (
	"context"
	"fmt"
	"time"

	"github.com/attune-shop/attune/store"
)

// Move is one change of a row: a user entered or left the segment of a number.
type Move struct {
	UserID  string
	Segment uint32
	Entered bool
}

// Kept returns the numbers of the oldest row of a shard that is kept, and of the newest.
func (r *Reader) Kept(ctx context.Context, shard int) (first, head store.Seq, err error) {
	if head, err = r.Head(ctx, shard); err != nil {
		return 0, 0, err
	}
	if first, err = r.store.Transitions().First(ctx, shard); err != nil {
		return 0, 0, fmt.Errorf("transitions: %w", err)
	}
	return first, head, nil
}

// Head returns the number of the newest row of a shard.
func (r *Reader) Head(ctx context.Context, shard int) (store.Seq, error) {
	head, err := r.store.Transitions().Head(ctx, shard)
	if err != nil {
		return 0, fmt.Errorf("transitions: %w", err)
	}
	return head, nil
}

// Rows calls fn for the rows of a shard from a number on, with all that moved, in the same order
// every time: moves of deleted segments, too. A row may have none. Where the first is not kept any
// more, it begins with a later one or has none.
func (r *Reader) Rows(ctx context.Context, shard int, from store.Seq, fn func(seq store.Seq, at time.Time, moves []Move) error) error {
	return r.store.Transitions().Read(ctx, shard, from, func(seq store.Seq, row []byte) error {
		at, all, err := decodeRow(row)
		if err != nil {
			return fmt.Errorf("row %d of shard %d: %w", seq, shard, err)
		}
		var moves []Move
		for i := range all {
			for _, number := range all[i].entered {
				moves = append(moves, Move{UserID: all[i].userID, Segment: number, Entered: true})
			}
			for _, number := range all[i].left {
				moves = append(moves, Move{UserID: all[i].userID, Segment: number})
			}
		}
		return fn(seq, at, moves)
	})
}

// PollEvery is how long to wait between two looks for new rows.
func (r *Reader) PollEvery() time.Duration { return r.pollEvery }
