package embedded

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"

	"github.com/cockroachdb/pebble/v2"

	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/store"
)

// shard is what is kept in memory of one log shard and the visitors in it.
type shard struct {
	number int

	// appending guards head and lets one append at a time through.
	appending sync.Mutex
	head      store.Seq

	// features guards the features in memory: those that are not in Pebble yet, where nil
	// is a removal, and those that were read or written of late.
	features   sync.Mutex
	clean      *valueCache
	dirty      map[event.Visitor][]byte
	dirtyBytes int64
	dirtyBound int64
}

// Shards implements store.Log.
func (s *Store) Shards() int { return len(s.shards) }

// Head implements store.Log.
func (s *Store) Head(ctx context.Context, shard int) (store.Seq, error) {
	sh := s.shards[shard]
	sh.appending.Lock()
	defer sh.appending.Unlock()
	return sh.head, ctx.Err()
}

// Append implements store.Log. Appends of different shards share a sync.
func (s *Store) Append(ctx context.Context, shard int, seq store.Seq, row []byte) error {
	sh := s.shards[shard]
	sh.appending.Lock()
	defer sh.appending.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	if seq != sh.head+1 {
		return fmt.Errorf("row %d of shard %d, whose head is %d: %w", seq, shard, sh.head, store.ErrTaken)
	}
	if err := s.space.check(); err != nil {
		return err
	}
	if err := s.db.Set(rowKey(shard, seq), row, pebble.Sync); err != nil {
		return translate(err)
	}
	sh.head = seq
	return nil
}

// ReadLog implements store.Log.
func (s *Store) ReadLog(ctx context.Context, shard int, from store.Seq, fn func(store.Seq, []byte) error) error {
	next := max(from, 1)
	err := s.scan(rowKey(shard, next), after(shardKey('l', shard)), func(key, row []byte) error {
		seq := store.Seq(binary.BigEndian.Uint64(key[3:]))
		if seq != next {
			return errHole
		}
		next++
		if err := fn(seq, row); err != nil {
			return err
		}
		return ctx.Err()
	})
	if errors.Is(err, errHole) {
		return nil
	}
	return err
}

// errHole ends a read at a missing row.
var errHole = fmt.Errorf("hole in the log: %w", event.ErrCorrupt)

// Mark implements store.Log.
func (s *Store) Mark(ctx context.Context, shard int) (store.Seq, error) {
	value, err := s.get(shardKey('m', shard))
	switch {
	case errors.Is(err, event.ErrNotFound):
		return 0, ctx.Err()
	case err != nil:
		return 0, err
	case len(value) != 8:
		return 0, fmt.Errorf("mark of shard %d: %w", shard, event.ErrCorrupt)
	}
	return store.Seq(binary.BigEndian.Uint64(value)), ctx.Err()
}

// SetMark implements store.Log.
func (s *Store) SetMark(ctx context.Context, shard int, mark store.Seq) error {
	sh := s.shards[shard]
	sh.appending.Lock()
	defer sh.appending.Unlock()
	old, err := s.Mark(ctx, shard)
	if err != nil || mark <= old {
		return err
	}
	return translate(s.db.Set(shardKey('m', shard), binary.BigEndian.AppendUint64(nil, uint64(mark)), pebble.NoSync))
}

// TrimLog implements store.Log.
func (s *Store) TrimLog(ctx context.Context, shard int, before store.Seq) error {
	head, err := s.Head(ctx, shard)
	if err != nil {
		return err
	}
	return translate(s.db.DeleteRange(rowKey(shard, 0), rowKey(shard, min(before, head)), pebble.Sync))
}

// lastRow returns the number of a shard's newest row.
func (s *Store) lastRow(shard int) (store.Seq, error) {
	prefix := shardKey('l', shard)
	it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: prefix, UpperBound: after(prefix)})
	if err != nil {
		return 0, translate(err)
	}
	var last store.Seq
	if it.Last() {
		last = store.Seq(binary.BigEndian.Uint64(it.Key()[3:]))
	}
	return last, translate(it.Close())
}
