package embedded

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/store"
)

// inMemory returns a visitor's value and true where it is in memory; sh.features is held.
func (sh *shard) inMemory(v event.Visitor) ([]byte, bool) {
	if value, found := sh.dirty[v]; found {
		return value, true
	}
	if value, found := sh.flushed[v]; found {
		return value, true
	}
	return sh.clean.get(v)
}

// onDisk returns a visitor's value in Pebble, nil where there is none.
func (s *Store) onDisk(sh *shard, v event.Visitor) ([]byte, error) {
	value, err := s.folded.get(featureKey(sh.number, v))
	if errors.Is(err, event.ErrNotFound) {
		return nil, nil
	}
	return value, err
}

// LosesFeatures implements store.Features.
func (s *Store) LosesFeatures() bool { return false }

// BeginEpoch implements store.Features: nothing is ever lost.
func (s *Store) BeginEpoch(ctx context.Context, _ int, _ string) (store.Epoch, error) {
	return store.Epoch{}, ctx.Err()
}

// GetFeatures implements store.Features.
func (s *Store) GetFeatures(ctx context.Context, shard int, visitors []event.Visitor) ([]store.Stored, error) {
	sh := s.shards[shard]
	values := make([]store.Stored, len(visitors))
	var missing []int
	sh.features.Lock()
	for i, v := range visitors {
		var found bool
		if values[i].Value, found = sh.inMemory(v); !found {
			missing = append(missing, i)
		}
	}
	changes := sh.changes
	sh.features.Unlock()
	if len(missing) == 0 {
		return values, ctx.Err()
	}
	// What is not in memory is in Pebble, and what a flush puts there meanwhile is newer.
	for _, i := range missing {
		var err error
		if values[i].Value, err = s.onDisk(sh, visitors[i]); err != nil {
			return nil, fmt.Errorf("features: %w", err)
		}
	}
	sh.features.Lock()
	defer sh.features.Unlock()
	if changes == sh.changes {
		for _, i := range missing {
			sh.clean.put(visitors[i], values[i].Value)
		}
	}
	return values, ctx.Err()
}

// SwapFeatures implements store.Features.
func (s *Store) SwapFeatures(ctx context.Context, shard int, changes []store.Change) ([]bool, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	sh := s.shards[shard]
	done, full, err := s.swap(sh, changes)
	if err == nil && full {
		err = s.flush(ctx, sh)
	}
	if err != nil {
		return nil, fmt.Errorf("features: %w", err)
	}
	return done, nil
}

// swap carries changes out in memory; full says that it is time for a flush.
func (s *Store) swap(sh *shard, changes []store.Change) (done []bool, full bool, err error) {
	done = make([]bool, len(changes))
	sh.features.Lock()
	defer sh.features.Unlock()
	for i, c := range changes {
		value, found := sh.inMemory(c.Visitor)
		if !found {
			if value, err = s.onDisk(sh, c.Visitor); err != nil {
				return nil, false, err
			}
			sh.clean.put(c.Visitor, value)
		}
		if (value == nil) == (c.Old.Value == nil) && bytes.Equal(value, c.Old.Value) {
			sh.set(c.Visitor, c.New)
			done[i] = true
		}
	}
	return done, sh.dirtyBytes > sh.dirtyBound, nil
}

// set stores a dirty value; sh.features is held.
func (sh *shard) set(v event.Visitor, value []byte) {
	if old, found := sh.dirty[v]; found {
		sh.dirtyBytes -= entrySize(v, old)
	}
	sh.dirty[v] = value
	sh.dirtyBytes += entrySize(v, value)
	sh.changes++
}

// FlushFeatures implements store.Features.
func (s *Store) FlushFeatures(ctx context.Context, shard int) error {
	return s.flush(ctx, s.shards[shard])
}

// flush hands the dirty features to Pebble, while others go on reading and changing.
func (s *Store) flush(ctx context.Context, sh *shard) error {
	if err := s.enter(ctx, sh.flushing); err != nil {
		return err
	}
	size := sh.beginFlush()
	if size == 0 {
		sh.flushing.leave()
		return nil
	}
	batch := s.folded.NewBatchWithSize(size)
	if err := sh.fill(batch); err != nil {
		sh.endFlush(err)
		return errors.Join(translate(err), translate(batch.Close()))
	}
	return s.commit(batch, pebble.NoSync, func(err error) {
		s.flushes.Add(1)
		sh.endFlush(err)
	})
}

// syncFeatures makes durable what flushes handed to Pebble, if there is any since the last time.
func (s *Store) syncFeatures(ctx context.Context) error {
	flushes := s.flushes.Load()
	if s.synced.Load() >= flushes {
		return ctx.Err()
	}
	full := s.space.full()
	written, err := s.folded.AsyncFlush()
	if err != nil {
		return translate(err)
	}
	if written != nil { // nil where there is nothing to write
		select {
		case <-written:
		case <-ctx.Done():
			return ctx.Err()
		case <-full:
			return s.space.exhausted
		}
	}
	s.synced.Store(flushes)
	return nil
}

// beginFlush makes the dirty values those on their way and returns the size of a batch
// for them, 0 where nothing is dirty.
func (sh *shard) beginFlush() (size int) {
	sh.features.Lock()
	defer sh.features.Unlock()
	if len(sh.dirty) == 0 {
		return 0
	}
	size = int(sh.dirtyBytes)
	sh.flushed, sh.dirty, sh.dirtyBytes = sh.dirty, make(map[event.Visitor][]byte, len(sh.dirty)), 0
	return size
}

func (sh *shard) fill(batch *pebble.Batch) error {
	prefix := shardKey('f', sh.number)
	var key []byte
	for v, value := range sh.flushed {
		key = append(append(key[:0], prefix...), v...)
		var err error
		if value == nil {
			err = batch.Delete(key, nil)
		} else {
			err = batch.Set(key, value, nil)
		}
		if err != nil {
			return err
		}
	}
	return batch.Set(shardKey('h', sh.number), binary.BigEndian.AppendUint64(nil, sh.log.head.Load()), nil)
}

// endFlush keeps what was flushed as clean, or dirty again where that failed.
func (sh *shard) endFlush(err error) {
	sh.features.Lock()
	for v, value := range sh.flushed {
		_, newer := sh.dirty[v]
		switch {
		case err == nil:
			sh.clean.put(v, value)
		case !newer:
			sh.set(v, value)
		}
	}
	sh.flushed = nil
	sh.features.Unlock()
	sh.flushing.leave()
}

// ScanFeatures implements store.Features.
func (s *Store) ScanFeatures(ctx context.Context, fn func(event.Visitor, []byte) error) error {
	for _, sh := range s.shards {
		if err := s.flush(ctx, sh); err != nil {
			return err
		}
		prefix := shardKey('f', sh.number)
		err := s.folded.scan(prefix, after(prefix), func(key, value []byte) error {
			if err := ctx.Err(); err != nil {
				return err
			}
			return fn(event.Visitor(key[len(prefix):]), value)
		})
		if err != nil {
			return err
		}
	}
	return nil
}
