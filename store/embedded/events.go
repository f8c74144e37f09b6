package embedded

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/store"
)

// PutEvents implements store.Events.
func (s *Store) PutEvents(ctx context.Context, shard int, records []store.Record) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	batch := s.db.NewBatch()
	defer batch.Close()
	var key []byte
	for _, r := range records {
		key = appendEventKey(key[:0], shard, r.Visitor, r.EventID, r.Seq)
		if err := batch.Set(key, r.Data, nil); err != nil {
			return translate(err)
		}
	}
	return translate(batch.Commit(pebble.NoSync))
}

// HasEvents implements store.Events.
func (s *Store) HasEvents(ctx context.Context, shard int, keys []store.Record) ([]bool, error) {
	there := make([]bool, len(keys))
	it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: shardKey('e', shard), UpperBound: after(shardKey('e', shard))})
	if err != nil {
		return nil, translate(err)
	}
	var key []byte
	for i, k := range keys {
		key = appendEventKey(key[:0], shard, k.Visitor, k.EventID, 0)
		there[i] = it.SeekGE(key) && bytes.HasPrefix(it.Key(), key[:len(key)-8])
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
func (s *Store) ScanEvents(ctx context.Context, shard int, from event.Visitor, fn func(store.Record) error) error {
	prefix := shardKey('e', shard)
	return s.eachEvent(ctx, append(prefix, from...), after(prefix[:3]), fn)
}

// eachEvent calls fn for the events of a range, each id's least sequence number only.
func (s *Store) eachEvent(ctx context.Context, lower, upper []byte, fn func(store.Record) error) error {
	var last []byte
	var visitor event.Visitor
	return s.scan(lower, upper, func(key, value []byte) error {
		body := key[3:]
		end := bytes.IndexByte(body, 0)
		if end < 0 || len(body) < end+10 || body[len(body)-9] != 0 {
			return fmt.Errorf("key of an event: %w", event.ErrCorrupt)
		}
		id := body[:len(body)-8]
		if bytes.Equal(id, last) {
			return nil
		}
		last = append(last[:0], id...)
		if string(visitor) != string(body[:end]) {
			visitor = event.Visitor(body[:end])
		}
		if err := fn(store.Record{
			Visitor: visitor,
			EventID: string(id[end+1 : len(id)-1]),
			Seq:     store.Seq(binary.BigEndian.Uint64(body[len(body)-8:])),
			Data:    value,
		}); err != nil {
			return err
		}
		return ctx.Err()
	})
}

// PutLinks implements store.Links.
func (s *Store) PutLinks(ctx context.Context, links []event.Link) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	batch := s.db.NewBatch()
	defer batch.Close()
	for _, l := range links {
		if err := batch.Set(linkKey(l), nil, nil); err != nil {
			return translate(err)
		}
		if err := batch.Set(append(append(idKey('u', l.UserID), 0), l.AnonymousID...), nil, nil); err != nil {
			return translate(err)
		}
	}
	return translate(batch.Commit(pebble.NoSync))
}

// Owner implements store.Links.
func (s *Store) Owner(ctx context.Context, anonymousID string) (event.Link, error) {
	prefix := append(idKey('o', anonymousID), 0)
	least, found := event.Link{AnonymousID: anonymousID}, false
	err := s.scan(prefix, after(prefix), func(key, _ []byte) error {
		rest := key[len(prefix):]
		if len(rest) < 9 {
			return fmt.Errorf("key of a link: %w", event.ErrCorrupt)
		}
		least.OccurredAt = unixMicro(int64(binary.BigEndian.Uint64(rest) ^ 1<<63))
		id, user, ok := bytes.Cut(rest[8:], []byte{0})
		if !ok {
			return fmt.Errorf("key of a link: %w", event.ErrCorrupt)
		}
		least.EventID, least.UserID, found = string(id), string(user), true
		return errFound
	})
	switch {
	case found:
		return least, ctx.Err()
	case err != nil:
		return event.Link{}, err
	}
	return event.Link{}, event.ErrNotFound
}

// LinkedTo implements store.Links.
func (s *Store) LinkedTo(ctx context.Context, userID string) ([]string, error) {
	prefix := append(idKey('u', userID), 0)
	var ids []string
	err := s.scan(prefix, after(prefix), func(key, _ []byte) error {
		ids = append(ids, string(key[len(prefix):]))
		return ctx.Err()
	})
	return ids, err
}
