package embedded

import (
	"context"
	"encoding/binary"
	"fmt"
	"sync"

	"github.com/cockroachdb/pebble/v2"

	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/store"
)

// shard is what is kept in memory of one log shard and the visitors in it.
type shard struct {
	number int

	log, transitions *stream

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

func (s *Store) newShard(number int, dirtyBound, cleanBound int64) *shard {
	return &shard{
		number: number, log: s.newStream(number, 'l', 'm'), transitions: s.newStream(number, 't', 'k'), flushing: newGate(),
		dirty: map[event.Visitor][]byte{}, dirtyBound: dirtyBound, clean: newValueCache(cleanBound),
	}
}

// Shards implements store.Log.
func (s *Store) Shards() int { return len(s.shards) }

// Head implements store.Log.
func (s *Store) Head(ctx context.Context, shard int) (store.Seq, error) {
	return s.shards[shard].log.last(ctx)
}

// Append implements store.Log.
func (s *Store) Append(ctx context.Context, shard int, seq store.Seq, row []byte) error {
	return s.shards[shard].log.append(ctx, seq, row)
}

// ReadLog implements store.Log.
func (s *Store) ReadLog(ctx context.Context, shard int, from store.Seq, fn func(store.Seq, []byte) error) error {
	return s.shards[shard].log.read(ctx, from, fn)
}

// Mark implements store.Log.
func (s *Store) Mark(ctx context.Context, shard int) (store.Seq, error) {
	return s.shards[shard].log.marked(ctx)
}

// SetMark implements store.Log. First the features that the mark stands for are durable.
func (s *Store) SetMark(ctx context.Context, shard int, mark store.Seq) error {
	return s.shards[shard].log.setMark(ctx, mark, s.syncFeatures)
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
	log := s.shards[shard].log
	if err := s.enter(ctx, log.marking); err != nil {
		return err
	}
	defer log.marking.leave()
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
	return s.shards[shard].log.trim(ctx, before)
}
