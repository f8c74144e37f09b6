package embedded

import (
	"context"
	"errors"

	"github.com/cockroachdb/pebble/v2"

	"github.com/attune-shop/attune/model/event"
)

// PutLinks implements store.Links.
func (s *Store) PutLinks(ctx context.Context, links []event.Link) error {
	return s.put(ctx, pebble.NoSync, func(batch *pebble.Batch) error {
		for _, l := range links {
			if err := batch.Set(linkKey(l), nil, nil); err != nil {
				return err
			}
			if err := batch.Set(userLinkKey(l.UserID, l.AnonymousID), nil, nil); err != nil {
				return err
			}
		}
		return nil
	})
}

// Owner implements store.Links.
func (s *Store) Owner(ctx context.Context, anonymousID string) (event.Link, error) {
	prefix := append(idKey('o', anonymousID), 0)
	var least event.Link
	err := s.db.scan(prefix, after(prefix), func(key, _ []byte) (err error) {
		if least, err = decodeLink(key); err != nil {
			return err
		}
		return errFound
	})
	switch {
	case err == nil:
		return event.Link{}, errors.Join(event.ErrNotFound, ctx.Err())
	case !errors.Is(err, errFound):
		return event.Link{}, err
	}
	return least, ctx.Err()
}

// LinkedTo implements store.Links.
func (s *Store) LinkedTo(ctx context.Context, userID string) ([]string, error) {
	prefix := userLinkKey(userID, "")
	var ids []string
	err := s.db.scan(prefix, after(prefix), func(key, _ []byte) error {
		ids = append(ids, string(key[len(prefix):]))
		return ctx.Err()
	})
	if err == nil {
		err = ctx.Err()
	}
	return ids, err
}
