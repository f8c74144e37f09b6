package embedded

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/store"
)

// PutRejected implements store.Rejected. A dead letter's id is its number, as 16 hex
// digits. Numbers are not used again, not even those of letters that were deleted or
// not stored.
func (s *Store) PutRejected(ctx context.Context, letters []store.DeadLetter) error {
	s.letters.Lock()
	defer s.letters.Unlock()
	return s.write(ctx, func(batch *pebble.Batch) error {
		for _, letter := range letters {
			s.letters.last++
			letter.ID = fmt.Sprintf("%016x", s.letters.last)
			value, err := json.Marshal(letter)
			if err != nil {
				return err
			}
			if err := batch.Set(idKey('r', letter.ID), value, nil); err != nil {
				return err
			}
		}
		return batch.Set(lettersKey, binary.BigEndian.AppendUint64(nil, s.letters.last), nil)
	})
}

// RejectedLetters implements store.Rejected.
func (s *Store) RejectedLetters(ctx context.Context, after string, limit int) ([]store.DeadLetter, error) {
	var letters []store.DeadLetter
	err := s.page(ctx, 'r', after, limit, func(_, value []byte) error {
		letter, err := decodeLetter(value)
		if err != nil {
			return err
		}
		letters = append(letters, letter)
		return nil
	})
	return letters, err
}

// RejectedLetter implements store.Rejected.
func (s *Store) RejectedLetter(ctx context.Context, id string) (store.DeadLetter, error) {
	value, err := s.db.get(idKey('r', id))
	if err != nil {
		return store.DeadLetter{}, fmt.Errorf("dead letter %q: %w", id, err)
	}
	letter, err := decodeLetter(value)
	if err != nil {
		return store.DeadLetter{}, err
	}
	return letter, ctx.Err()
}

// DeleteRejected implements store.Rejected.
func (s *Store) DeleteRejected(ctx context.Context, ids []string) error {
	return s.put(ctx, pebble.Sync, func(batch *pebble.Batch) error {
		for _, id := range ids {
			if err := batch.Delete(idKey('r', id), nil); err != nil {
				return err
			}
		}
		return nil
	})
}

func decodeLetter(value []byte) (letter store.DeadLetter, err error) {
	if err = json.Unmarshal(value, &letter); err != nil {
		return store.DeadLetter{}, fmt.Errorf("dead letter: %w: %w", event.ErrCorrupt, err)
	}
	return letter, nil
}
