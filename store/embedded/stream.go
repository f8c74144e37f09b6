package embedded

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"

	"github.com/attune-shop/attune/store"
)

// stream is a sequence of rows with dense numbers, and a mark: of the log, or of the
// transitions, one shard.
type stream struct {
	store *Store
	shard int
	// rows and mark are the kinds of its keys.
	rows, mark byte

	// appending lets one append at a time through; marking, one move of the mark.
	appending, marking gate
	// head is the number of the last row that is durable.
	head atomic.Uint64
}

func (s *Store) newStream(shard int, rows, mark byte) *stream {
	return &stream{store: s, shard: shard, rows: rows, mark: mark, appending: newGate(), marking: newGate()}
}

func (t *stream) key(seq store.Seq) []byte {
	return binary.BigEndian.AppendUint64(shardKey(t.rows, t.shard), uint64(seq))
}

// load reads the number of the newest row.
func (t *stream) load() error {
	prefix := shardKey(t.rows, t.shard)
	key, err := t.store.db.last(prefix)
	if err != nil || key == nil {
		return err
	}
	seq, err := decodeNumber(key[len(prefix):])
	t.head.Store(seq)
	return err
}

func (t *stream) last(ctx context.Context) (store.Seq, error) {
	return store.Seq(t.head.Load()), ctx.Err()
}

// append stores a row. Appends to different streams share a sync.
func (t *stream) append(ctx context.Context, seq store.Seq, row []byte) error {
	if err := t.store.space.check(); err != nil {
		return err
	}
	if err := t.store.enter(ctx, t.appending); err != nil {
		return err
	}
	if head := store.Seq(t.head.Load()); seq != head+1 {
		t.appending.leave()
		return fmt.Errorf("row %d of shard %d, whose head is %d: %w", seq, t.shard, head, store.ErrTaken)
	}
	batch := t.store.db.NewBatchWithSize(len(row) + 64)
	if err := batch.Set(t.key(seq), row, nil); err != nil {
		t.appending.leave()
		return errors.Join(translate(err), translate(batch.Close()))
	}
	return t.store.commit(batch, pebble.Sync, func(err error) {
		if err == nil {
			t.head.Store(uint64(seq))
		}
		t.appending.leave()
	})
}

// read calls fn for the rows from a number on. Rows that are not durable yet come after the head.
func (t *stream) read(ctx context.Context, from store.Seq, fn func(store.Seq, []byte) error) error {
	next, head := max(from, 1), store.Seq(t.head.Load())
	if next > head {
		return ctx.Err()
	}
	err := t.store.db.scan(t.key(next), after(t.key(head)), func(key, row []byte) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		seq := store.Seq(binary.BigEndian.Uint64(key[3:]))
		if seq != next {
			return errHole
		}
		next++
		return fn(seq, row)
	})
	if errors.Is(err, errHole) {
		return nil
	}
	return err
}

// errHole ends a read at a missing row.
var errHole = errors.New("hole in the log")

// first returns the number of the oldest row, head + 1 where there is none.
func (t *stream) first(ctx context.Context) (store.Seq, error) {
	seq, prefix := store.Seq(t.head.Load()+1), shardKey(t.rows, t.shard)
	err := t.store.db.scan(prefix, t.key(seq), func(key, _ []byte) error {
		seq = store.Seq(binary.BigEndian.Uint64(key[len(prefix):]))
		return errFound
	})
	return seq, errors.Join(err, ctx.Err())
}

func (t *stream) marked(ctx context.Context) (store.Seq, error) {
	mark, err := t.store.db.number(shardKey(t.mark, t.shard))
	if err != nil {
		return 0, fmt.Errorf("mark of shard %d: %w", t.shard, err)
	}
	return store.Seq(mark), ctx.Err()
}

// setMark moves the mark forward, once before has made what it stands for durable that the
// write-ahead log does not have in front of it.
func (t *stream) setMark(ctx context.Context, mark store.Seq, before func(context.Context) error) error {
	if err := t.store.enter(ctx, t.marking); err != nil {
		return err
	}
	old, err := t.marked(ctx)
	if err != nil || mark <= old {
		t.marking.leave()
		return err
	}
	if err := before(ctx); err != nil {
		t.marking.leave()
		return err
	}
	batch := t.store.db.NewBatch()
	if err := batch.Set(shardKey(t.mark, t.shard), binary.BigEndian.AppendUint64(nil, uint64(mark)), nil); err != nil {
		t.marking.leave()
		return errors.Join(translate(err), translate(batch.Close()))
	}
	return t.store.commit(batch, pebble.NoSync, func(error) { t.marking.leave() })
}

// trim deletes the rows before a number but for the newest.
func (t *stream) trim(ctx context.Context, before store.Seq) error {
	end := min(before, store.Seq(t.head.Load()))
	if end <= 1 {
		return ctx.Err()
	}
	return t.store.put(ctx, pebble.Sync, func(batch *pebble.Batch) error {
		return batch.DeleteRange(t.key(0), t.key(end), nil)
	})
}
