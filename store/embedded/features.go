package embedded

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/store"
)

// feature returns a visitor's value, nil where there is none; sh.features is held.
func (s *Store) feature(sh *shard, v event.Visitor) ([]byte, error) {
	if value, changed := sh.dirty[v]; changed {
		return value, nil
	}
	if value, known := sh.clean.get(v); known {
		return value, nil
	}
	value, err := s.get(featureKey(sh.number, v))
	if err != nil && !errors.Is(err, event.ErrNotFound) {
		return nil, err
	}
	sh.clean.put(v, value)
	return value, nil
}

// GetFeatures implements store.Features.
func (s *Store) GetFeatures(ctx context.Context, shard int, visitors []event.Visitor) ([][]byte, error) {
	sh := s.shards[shard]
	values := make([][]byte, len(visitors))
	sh.features.Lock()
	defer sh.features.Unlock()
	for i, v := range visitors {
		var err error
		if values[i], err = s.feature(sh, v); err != nil {
			return nil, fmt.Errorf("features: %w", err)
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
	done := make([]bool, len(changes))
	sh.features.Lock()
	defer sh.features.Unlock()
	for i, c := range changes {
		value, err := s.feature(sh, c.Visitor)
		if err != nil {
			return nil, fmt.Errorf("features: %w", err)
		}
		if (value == nil) != (c.Old == nil) || !bytes.Equal(value, c.Old) {
			continue
		}
		if old, changed := sh.dirty[c.Visitor]; changed {
			sh.dirtyBytes -= int64(len(c.Visitor) + len(old))
		}
		sh.dirty[c.Visitor] = c.New
		sh.dirtyBytes += int64(len(c.Visitor) + len(c.New))
		done[i] = true
	}
	if sh.dirtyBytes > sh.dirtyBound {
		return done, s.flush(sh)
	}
	return done, nil
}

// FlushFeatures implements store.Features.
func (s *Store) FlushFeatures(_ context.Context, shard int) error {
	sh := s.shards[shard]
	sh.features.Lock()
	defer sh.features.Unlock()
	return s.flush(sh)
}

// flush writes the changed features into Pebble; sh.features is held.
func (s *Store) flush(sh *shard) error {
	if len(sh.dirty) == 0 {
		return nil
	}
	batch := s.db.NewBatchWithSize(int(sh.dirtyBytes) + 16*len(sh.dirty))
	defer batch.Close()
	for v, value := range sh.dirty {
		key := featureKey(sh.number, v)
		var err error
		if value == nil {
			err = batch.Delete(key, nil)
		} else {
			err = batch.Set(key, value, nil)
		}
		if err != nil {
			return translate(err)
		}
	}
	if err := batch.Commit(pebble.NoSync); err != nil {
		return translate(err)
	}
	for v, value := range sh.dirty {
		sh.clean.put(v, value)
	}
	clear(sh.dirty)
	sh.dirtyBytes = 0
	return nil
}

// ScanFeatures implements store.Features.
func (s *Store) ScanFeatures(ctx context.Context, shard int, fn func(event.Visitor, []byte) error) error {
	if err := s.FlushFeatures(ctx, shard); err != nil {
		return err
	}
	prefix := shardKey('f', shard)
	return s.scan(prefix, after(prefix), func(key, value []byte) error {
		if err := fn(event.Visitor(key[len(prefix):]), value); err != nil {
			return err
		}
		return ctx.Err()
	})
}

// valueCache keeps the values that were used of late, in two generations: when the young
// one has its share of the bytes, the old one is dropped whole. An absent value is kept
// as nil.
type valueCache struct {
	young, old map[event.Visitor][]byte
	bytes      int64 // of young
	bound      int64 // of both
}

// entryBytes is about what a map entry takes beside its key and value.
const entryBytes = 64

func newValueCache(bound int64) *valueCache {
	return &valueCache{young: map[event.Visitor][]byte{}, bound: bound}
}

func (c *valueCache) get(v event.Visitor) ([]byte, bool) {
	if value, known := c.young[v]; known {
		return value, true
	}
	value, known := c.old[v]
	if known {
		c.put(v, value)
	}
	return value, known
}

func (c *valueCache) put(v event.Visitor, value []byte) {
	if old, known := c.young[v]; known {
		c.bytes -= int64(len(old) + len(v) + entryBytes)
	}
	c.young[v] = value
	c.bytes += int64(len(value) + len(v) + entryBytes)
	if c.bytes > c.bound/2 {
		c.old, c.young, c.bytes = c.young, map[event.Visitor][]byte{}, 0
	}
}
