package history

import (
	"context"
	"errors"
	"maps"
	"time"

	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/store"
)

// Cursor is a place in the log: for each shard the last row that was seen. A shard that
// is not in it was not seen at all.
type Cursor map[int]store.Seq

// Cursor returns the place of the last rows that are known here to be projected: who follows from
// there sees all that happens from now on.
func (h *History) Cursor() Cursor {
	cursor := make(Cursor, len(h.shards))
	for _, s := range h.shards {
		cursor[s.number] = store.Seq(s.projected.Load())
	}
	return cursor
}

// pollEvery is how often a follower looks for new rows: what a figure may lag behind.
const pollEvery = 50 * time.Millisecond

// Follow calls fn for every row after the cursor, in the order of each shard, then for
// those that come, each once it is projected. It ends with ctx, whose error it returns,
// or with the first error of fn or the store. The cursor is not changed. fn is never
// called twice at the same time.
func (h *History) Follow(ctx context.Context, from Cursor, fn func(shard int, seq store.Seq, events []event.Event) error) error {
	cursor := maps.Clone(from)
	if cursor == nil {
		cursor = Cursor{}
	}
	ticker := time.NewTicker(pollEvery)
	defer ticker.Stop()
	for {
		for _, s := range h.shards {
			if err := s.readNew(ctx, cursor, fn); err != nil {
				return err
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		}
	}
}

func (s *shard) readNew(ctx context.Context, cursor Cursor, fn func(int, store.Seq, []event.Event) error) error {
	projected := store.Seq(s.projected.Load())
	if cursor[s.number] >= projected {
		return nil
	}
	read := func(seq store.Seq, row []byte) error {
		if seq > projected {
			return errStop
		}
		c, err := decodeRow(row)
		if err != nil {
			return err
		}
		if err := fn(s.number, seq, c.events); err != nil {
			return err
		}
		cursor[s.number] = seq
		return ctx.Err()
	}
	next := cursor[s.number] + 1
	if rows := s.tail.from(next); len(rows) > 0 {
		for i, row := range rows {
			if err := read(next+store.Seq(i), row); err != nil {
				return ignoreStop(err)
			}
		}
		return nil
	}
	return ignoreStop(s.history.stores.ReadLog(ctx, s.number, next, read))
}

func ignoreStop(err error) error {
	if errors.Is(err, errStop) {
		return nil
	}
	return err
}

// errStop ends a read early.
var errStop = errors.New("stop")
