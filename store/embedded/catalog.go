package embedded

import (
	"context"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"github.com/attune-shop/attune/model/event"
)

// PutItems implements store.Catalog.
func (s *Store) PutItems(ctx context.Context, items []event.Item) error {
	return s.write(ctx, func(batch *pebble.Batch) error {
		var value []byte
		for i := range items {
			value = items[i].Append(value[:0])
			if err := batch.Set(idKey('i', items[i].ID), value, nil); err != nil {
				return err
			}
		}
		return nil
	})
}

// Item implements store.Catalog.
func (s *Store) Item(ctx context.Context, id string) (event.Item, error) {
	value, err := s.db.get(idKey('i', id))
	if err != nil {
		return event.Item{}, fmt.Errorf("item %q: %w", id, err)
	}
	item, err := event.DecodeItem(value)
	if err != nil {
		return event.Item{}, fmt.Errorf("item %q: %w", id, err)
	}
	return item, ctx.Err()
}

// Items implements store.Catalog.
func (s *Store) Items(ctx context.Context, after string, limit int) ([]event.Item, error) {
	var items []event.Item
	err := s.page(ctx, 'i', after, limit, func(id, value []byte) error {
		item, err := event.DecodeItem(value)
		if err != nil {
			return fmt.Errorf("item %q: %w", id, err)
		}
		items = append(items, item)
		return nil
	})
	return items, err
}

// DeleteItem implements store.Catalog.
func (s *Store) DeleteItem(ctx context.Context, id string) error {
	s.catalog.Lock()
	defer s.catalog.Unlock()
	if _, err := s.db.get(idKey('i', id)); err != nil {
		return fmt.Errorf("item %q: %w", id, err)
	}
	return s.put(ctx, pebble.Sync, func(batch *pebble.Batch) error { return batch.Delete(idKey('i', id), nil) })
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
