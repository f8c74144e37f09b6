package embedded

import (
	"context"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/store"
)

// Shared implements store.Sharing: the folder is one process's.
func (s *Store) Shared() bool { return false }

// Items implements store.Catalog.
func (s *Store) Items(ctx context.Context, fn func(event.Item) error) (store.Seq, error) {
	s.catalog.Lock()
	revision := s.catalog.revision
	s.catalog.Unlock()
	items := []byte{'i'}
	err := s.db.scan(items, after(items), func(key, value []byte) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		item, err := event.DecodeItem(value)
		if err != nil {
			return fmt.Errorf("item %q: %w", key[1:], err)
		}
		return fn(item)
	})
	if err == nil {
		err = ctx.Err()
	}
	return revision, err
}

// ChangeItems implements store.Catalog. Revisions begin anew with each Open.
func (s *Store) ChangeItems(ctx context.Context, newest store.Seq, change store.ItemChange) (store.Seq, error) {
	s.catalog.Lock()
	defer s.catalog.Unlock()
	if newest != s.catalog.revision {
		return 0, store.ErrTaken
	}
	// A deletion frees room, so it is not held to the reserve.
	write := s.write
	if len(change.Put) == 0 {
		write = func(ctx context.Context, fill func(*pebble.Batch) error) error { return s.put(ctx, pebble.Sync, fill) }
	}
	err := write(ctx, func(batch *pebble.Batch) error {
		var value []byte
		for i := range change.Put {
			value = change.Put[i].Append(value[:0])
			if err := batch.Set(idKey('i', change.Put[i].ID), value, nil); err != nil {
				return err
			}
		}
		for _, id := range change.Delete {
			if err := batch.Delete(idKey('i', id), nil); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	s.catalog.revision++
	return s.catalog.revision, nil
}

// ItemChanges implements store.Catalog: nobody else makes any.
func (s *Store) ItemChanges(ctx context.Context, _ store.Seq, _ func(store.Seq, store.ItemChange) error) error {
	return ctx.Err()
}

// page calls fn for up to limit ids of a kind, those > afterID.
func (s *Store) page(ctx context.Context, kind byte, afterID string, limit int, fn func(id, value []byte) error) error {
	if limit <= 0 {
		return ctx.Err()
	}
	err := s.db.scan(append(idKey(kind, afterID), 0), after([]byte{kind}), func(key, value []byte) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := fn(key[1:], value); err != nil {
			return err
		}
		if limit--; limit == 0 {
			return errFound
		}
		return nil
	})
	if err == nil {
		err = ctx.Err()
	}
	return err
}
