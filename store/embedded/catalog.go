package embedded

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/store"
)

// PutItems implements store.Catalog.
func (s *Store) PutItems(ctx context.Context, items []event.Item) error {
	return s.write(ctx, func(batch *pebble.Batch) error {
		for i := range items {
			if err := batch.Set(idKey('i', items[i].ID), items[i].Append(nil), nil); err != nil {
				return err
			}
		}
		return nil
	})
}

// Item implements store.Catalog.
func (s *Store) Item(ctx context.Context, id string) (event.Item, error) {
	value, err := s.get(idKey('i', id))
	if err != nil {
		return event.Item{}, err
	}
	item, err := event.DecodeItem(value)
	return item, errors.Join(err, ctx.Err())
}

// Items implements store.Catalog.
func (s *Store) Items(ctx context.Context, afterID string, limit int) ([]event.Item, error) {
	var items []event.Item
	err := s.page('i', append([]byte(afterID), 0), limit, func(_, value []byte) error {
		item, err := event.DecodeItem(value)
		items = append(items, item)
		return errors.Join(err, ctx.Err())
	})
	return items, err
}

// DeleteItem implements store.Catalog.
func (s *Store) DeleteItem(ctx context.Context, id string) error {
	if _, err := s.get(idKey('i', id)); err != nil {
		return err
	}
	return s.write(ctx, func(batch *pebble.Batch) error { return batch.Delete(idKey('i', id), nil) })
}

// write commits what fill puts into a batch, synced.
func (s *Store) write(ctx context.Context, fill func(*pebble.Batch) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := s.space.check(); err != nil {
		return err
	}
	batch := s.db.NewBatch()
	defer batch.Close()
	if err := fill(batch); err != nil {
		return translate(err)
	}
	return translate(batch.Commit(pebble.Sync))
}

// page calls fn for up to limit keys of a kind, from a key on.
func (s *Store) page(kind byte, from []byte, limit int, fn func(key, value []byte) error) error {
	err := s.scan(append([]byte{kind}, from...), after([]byte{kind}), func(key, value []byte) error {
		if limit--; limit < 0 {
			return errFound
		}
		return fn(key[1:], value)
	})
	if errors.Is(err, errFound) {
		return nil
	}
	return err
}

// PutRejected implements store.Rejected. A dead letter's id is its number, as 16 hex digits.
func (s *Store) PutRejected(ctx context.Context, letters []store.DeadLetter) error {
	s.letters.Lock()
	defer s.letters.Unlock()
	last := s.letters.last
	err := s.write(ctx, func(batch *pebble.Batch) error {
		for _, letter := range letters {
			last++
			letter.ID = fmt.Sprintf("%016x", last)
			value, err := json.Marshal(letter)
			if err != nil {
				return err
			}
			if err := batch.Set(letterKey(last), value, nil); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil {
		s.letters.last = last
	}
	return err
}

// RejectedLetters implements store.Rejected.
func (s *Store) RejectedLetters(ctx context.Context, afterID string, limit int) ([]store.DeadLetter, error) {
	var from []byte
	if afterID != "" {
		number, err := letterNumber(afterID)
		if err != nil {
			return nil, err
		}
		from = letterKey(number + 1)[1:]
	}
	var letters []store.DeadLetter
	err := s.page('r', from, limit, func(_, value []byte) error {
		letter, err := decodeLetter(value)
		letters = append(letters, letter)
		return errors.Join(err, ctx.Err())
	})
	return letters, err
}

// RejectedLetter implements store.Rejected.
func (s *Store) RejectedLetter(ctx context.Context, id string) (store.DeadLetter, error) {
	number, err := letterNumber(id)
	if err != nil {
		return store.DeadLetter{}, err
	}
	value, err := s.get(letterKey(number))
	if err != nil {
		return store.DeadLetter{}, err
	}
	letter, err := decodeLetter(value)
	return letter, errors.Join(err, ctx.Err())
}

// DeleteRejected implements store.Rejected.
func (s *Store) DeleteRejected(ctx context.Context, ids []string) error {
	return s.write(ctx, func(batch *pebble.Batch) error {
		for _, id := range ids {
			number, err := letterNumber(id)
			if err != nil {
				continue
			}
			if err := batch.Delete(letterKey(number), nil); err != nil {
				return err
			}
		}
		return nil
	})
}

func decodeLetter(value []byte) (letter store.DeadLetter, err error) {
	if err = json.Unmarshal(value, &letter); err != nil {
		err = fmt.Errorf("dead letter: %w: %w", event.ErrCorrupt, err)
	}
	return letter, err
}

// letterNumber returns the number in an id, or event.ErrNotFound where it is none.
func letterNumber(id string) (number uint64, err error) {
	if n, scanErr := fmt.Sscanf(id, "%016x", &number); n != 1 || scanErr != nil || len(id) != 16 {
		return 0, fmt.Errorf("dead letter %q: %w", id, event.ErrNotFound)
	}
	return number, nil
}

// lastLetter returns the number of the newest dead letter.
func (s *Store) lastLetter() (uint64, error) {
	it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: letterKey(0), UpperBound: after([]byte{'r'})})
	if err != nil {
		return 0, translate(err)
	}
	var last uint64
	if it.Last() {
		last = binary.BigEndian.Uint64(it.Key()[1:])
	}
	return last, translate(it.Close())
}
