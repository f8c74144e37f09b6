package embedded

import (
	"bytes"
	"context"

	"github.com/cockroachdb/pebble/v2"

	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/store"
)

// PutEvents implements store.Events.
func (s *Store) PutEvents(ctx context.Context, shard int, records []store.Record) error {
	return s.put(ctx, pebble.NoSync, func(batch *pebble.Batch) error {
		var key []byte
		for _, r := range records {
			key = appendEventKey(key[:0], shard, r.Visitor, r.EventID, r.Seq)
			if err := batch.Set(key, r.Data, nil); err != nil {
				return err
			}
		}
		return nil
	})
}

// HasEvents implements store.Events. An event that is not stored costs no read but that
// of Bloom filters, as a rule.
func (s *Store) HasEvents(ctx context.Context, shard int, keys []store.Record) ([]bool, error) {
	there := make([]bool, len(keys))
	if len(keys) == 0 {
		return there, ctx.Err()
	}
	it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: shardKey('e', shard), UpperBound: after(shardKey('e', shard))})
	if err != nil {
		return nil, translate(err)
	}
	var key []byte
	for i, k := range keys {
		key = appendEventKey(key[:0], shard, k.Visitor, k.EventID, 0)
		there[i] = it.SeekPrefixGE(key)
		if it.Error() != nil {
			break
		}
	}
	if err := it.Close(); err != nil {
		return nil, translate(err)
	}
	return there, ctx.Err()
}

// ReadEvents implements store.Events.
func (s *Store) ReadEvents(ctx context.Context, shard int, v event.Visitor, fn func(store.Record) error) error {
	prefix := append(append(shardKey('e', shard), v...), 0)
	return s.eachEvent(ctx, prefix, after(prefix), fn)
}

// ScanEvents implements store.Events.
func (s *Store) ScanEvents(ctx context.Context, fn func(store.Record) error) error {
	for _, sh := range s.shards {
		prefix := shardKey('e', sh.number)
		if err := s.eachEvent(ctx, prefix, after(prefix), fn); err != nil {
			return err
		}
	}
	return nil
}

// ScanVisitors implements store.Events: from each visitor it goes on behind all of its events.
func (s *Store) ScanVisitors(ctx context.Context, fn func(event.Visitor) error) error {
	for _, sh := range s.shards {
		prefix := shardKey('e', sh.number)
		next, upper := prefix, after(prefix)
		for found := true; found; {
			found = false
			err := s.db.scan(next, upper, func(key, _ []byte) error {
				visitor, _, _, err := cutEventKey(key)
				if err != nil {
					return err
				}
				found, next = true, append(append(bytes.Clone(prefix), visitor...), 1) // above the \0 that ends it
				if err := fn(event.Visitor(visitor)); err != nil {
					return err
				}
				return errFound
			})
			if err == nil {
				err = ctx.Err()
			}
			if err != nil {
				return err
			}
		}
	}
	return ctx.Err()
}

// eachEvent calls fn for the events of a range, each id's least sequence number only.
func (s *Store) eachEvent(ctx context.Context, lower, upper []byte, fn func(store.Record) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	var last []byte // key of the event before, without its number
	var visitor event.Visitor
	return s.db.scan(lower, upper, func(key, value []byte) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		v, id, seq, err := cutEventKey(key)
		if err != nil {
			return err
		}
		if bytes.Equal(key[:len(key)-8], last) {
			return nil
		}
		last = append(last[:0], key[:len(key)-8]...)
		if string(visitor) != string(v) {
			visitor = event.Visitor(v)
		}
		return fn(store.Record{Visitor: visitor, EventID: string(id), Seq: seq, Data: value})
	})
}
