package embedded

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"

	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/store"
)

// shard is what is kept in memory of one log shard and the visitors in it.
type shard struct {
	number int

	// appending lets one append at a time through; marking, one move of the mark.
	appending, marking gate
	// head is the number of the last row that is durable.
	head atomic.Uint64

	// flushing lets one flush at a time through.
	flushing gate
	// features guards the features in memory: the dirty ones, changed since the last flush
	// began; those that a flush is writing, which nobody changes meanwhile; and clean ones,
	// which are in Pebble, too, and were used of late. nil is none.
	features       sync.Mutex
	dirty, flushed map[event.Visitor][]byte
	clean          *valueCache
	// dirtyBytes is the size of the dirty ones; dirtyBound begins a flush.
	dirtyBytes, dirtyBound int64
	// changes counts the changes, so that a reader knows whether what it read from Pebble
	// may have been overtaken.
	changes uint64
}

func newShard(number int, dirtyBound, cleanBound int64) *shard {
	return &shard{
		number: number, appending: newGate(), marking: newGate(), flushing: newGate(),
		dirty: map[event.Visitor][]byte{}, dirtyBound: dirtyBound, clean: newValueCache(cleanBound),
	}
}

// Shards implements store.Log.
func (s *Store) Shards() int { return len(s.shards) }

// Head implements store.Log.
func (s *Store) Head(ctx context.Context, shard int) (store.Seq, error) {
	return store.Seq(s.shards[shard].head.Load()), ctx.Err()
}

// Append implements store.Log. Appends of different shards share a sync.
func (s *Store) Append(ctx context.Context, shard int, seq store.Seq, row []byte) error {
	sh := s.shards[shard]
	if err := s.space.check(); err != nil {
		return err
	}
	if err := s.enter(ctx, sh.appending); err != nil {
		return err
	}
	if head := store.Seq(sh.head.Load()); seq != head+1 {
		sh.appending.leave()
		return fmt.Errorf("row %d of shard %d, whose head is %d: %w", seq, shard, head, store.ErrTaken)
	}
	batch := s.db.NewBatchWithSize(len(row) + 64)
	if err := batch.Set(rowKey(shard, seq), row, nil); err != nil {
		sh.appending.leave()
		return errors.Join(translate(err), translate(batch.Close()))
	}
	return s.commit(batch, pebble.Sync, func(err error) {
		if err == nil {
			sh.head.Store(uint64(seq))
		}
		sh.appending.leave()
	})
}

// ReadLog implements store.Log. Rows that are not durable yet come after the head.
func (s *Store) ReadLog(ctx context.Context, shard int, from store.Seq, fn func(store.Seq, []byte) error) error {
	next, head := max(from, 1), store.Seq(s.shards[shard].head.Load())
	if next > head {
		return ctx.Err()
	}
	err := s.db.scan(rowKey(shard, next), after(rowKey(shard, head)), func(key, row []byte) error {
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

// Mark implements store.Log.
func (s *Store) Mark(ctx context.Context, shard int) (store.Seq, error) {
	mark, err := s.db.number(shardKey('m', shard))
	if err != nil {
		return 0, fmt.Errorf("mark of shard %d: %w", shard, err)
	}
	return store.Seq(mark), ctx.Err()
}

// SetMark implements store.Log.
func (s *Store) SetMark(ctx context.Context, shard int, mark store.Seq) error {
	sh := s.shards[shard]
	if err := s.enter(ctx, sh.marking); err != nil {
		return err
	}
	old, err := s.Mark(ctx, shard)
	if err != nil || mark <= old {
		sh.marking.leave()
		return err
	}
	if err := s.syncFeatures(ctx); err != nil {
		sh.marking.leave()
		return err
	}
	batch := s.db.NewBatch()
	if err := batch.Set(shardKey('m', shard), binary.BigEndian.AppendUint64(nil, uint64(mark)), nil); err != nil {
		sh.marking.leave()
		return errors.Join(translate(err), translate(batch.Close()))
	}
	return s.commit(batch, pebble.NoSync, func(error) { sh.marking.leave() })
}

// Fence implements store.Log.
func (s *Store) Fence(ctx context.Context, shard int) (store.Seq, error) {
	fence, err := s.db.number(shardKey('p', shard))
	if err != nil {
		return 0, fmt.Errorf("fence of shard %d: %w", shard, err)
	}
	return store.Seq(fence), ctx.Err()
}

// SetFence implements store.Log.
func (s *Store) SetFence(ctx context.Context, shard int, row store.Seq) error {
	sh := s.shards[shard]
	if err := s.enter(ctx, sh.marking); err != nil {
		return err
	}
	defer sh.marking.leave()
	old, err := s.Fence(ctx, shard)
	if err != nil || row <= old {
		return err
	}
	return s.put(ctx, pebble.NoSync, func(batch *pebble.Batch) error {
		return batch.Set(shardKey('p', shard), binary.BigEndian.AppendUint64(nil, uint64(row)), nil)
	})
}

// TrimLog implements store.Log.
func (s *Store) TrimLog(ctx context.Context, shard int, before store.Seq) error {
	end := min(before, store.Seq(s.shards[shard].head.Load()))
	if end <= 1 {
		return ctx.Err()
	}
	return s.put(ctx, pebble.Sync, func(batch *pebble.Batch) error {
		return batch.DeleteRange(rowKey(shard, 0), rowKey(shard, end), nil)
	})
}

// lastRow returns the number of a shard's newest row.
func (s *Store) lastRow(shard int) (store.Seq, error) {
	prefix := shardKey('l', shard)
	key, err := s.db.last(prefix)
	if err != nil || key == nil {
		return 0, err
	}
	seq, err := decodeNumber(key[len(prefix):])
	return store.Seq(seq), err
}
