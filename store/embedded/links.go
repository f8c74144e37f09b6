package embedded

import (
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/cockroachdb/pebble/v2"
	"github.com/hashicorp/golang-lru/v2/simplelru"

	"github.com/attune-shop/attune/model/event"
)

// cachedLinks is the number of visitors of each kind whose links are kept in memory: those
// of a visitor that acts or asks are looked up each time, and hardly ever change.
const cachedLinks = 32 << 10

// linkCache keeps what was looked up of late. What has no links is kept as such.
type linkCache struct {
	mu     sync.Mutex
	owners *simplelru.LRU[string, event.Link] // by anonymous id
	linked *simplelru.LRU[string, linkedIDs]  // by user id
	// changes counts the changes, so that a reader knows whether what it read from Pebble
	// may have been overtaken.
	changes uint64
}

func newLinkCache() *linkCache {
	owners, err := simplelru.NewLRU[string, event.Link](cachedLinks, nil)
	linked, err2 := simplelru.NewLRU[string, linkedIDs](cachedLinks, nil)
	if err := errors.Join(err, err2); err != nil {
		panic(err) // the size is above 0
	}
	return &linkCache{owners: owners, linked: linked}
}

// forget lets go of what links have changed.
func (c *linkCache) forget(links []event.Link) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.changes++
	for _, l := range links {
		c.owners.Remove(l.AnonymousID)
		c.linked.Remove(l.UserID)
	}
}

// through returns what a cache has of id, or reads it and keeps it there.
func through[V any](c *linkCache, cache *simplelru.LRU[string, V], id string, read func() (V, error)) (V, error) {
	c.mu.Lock()
	value, known := cache.Get(id)
	changes := c.changes
	c.mu.Unlock()
	if known {
		return value, nil
	}
	value, err := read()
	if err != nil {
		return value, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if changes == c.changes {
		cache.Add(id, value)
	}
	return value, nil
}

// PutLinks implements store.Links. A link that tells nothing new costs no write.
func (s *Store) PutLinks(ctx context.Context, links []event.Link) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	var news []event.Link
	for _, l := range links {
		known, err := s.tells(l)
		if err != nil {
			return err
		}
		if !known {
			news = append(news, l)
		}
	}
	if len(news) == 0 {
		return nil
	}
	batch := s.db.NewBatch()
	for _, l := range news {
		if err := errors.Join(batch.Set(linkKey(l), nil, nil), batch.Set(userLinkKey(l.UserID, l.AnonymousID), nil, nil)); err != nil {
			return errors.Join(translate(err), translate(batch.Close()))
		}
	}
	return s.commit(batch, pebble.NoSync, func(error) { s.links.forget(news) })
}

// tells tells whether what is stored answers every question as if the link were, too: the
// least link of the anonymous id is not greater, and the pair was seen, as that of the least
// link was.
func (s *Store) tells(l event.Link) (bool, error) {
	least, err := s.leastLink(l.AnonymousID)
	if err != nil || least.UserID == "" || least.Compare(l) > 0 {
		return false, err
	}
	if least.UserID == l.UserID {
		return true, nil
	}
	_, err = s.db.get(userLinkKey(l.UserID, l.AnonymousID))
	if errors.Is(err, event.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// Owner implements store.Links.
func (s *Store) Owner(ctx context.Context, anonymousID string) (event.Link, error) {
	least, err := s.leastLink(anonymousID)
	if err == nil && least.UserID == "" {
		err = event.ErrNotFound
	}
	return least, errors.Join(err, ctx.Err())
}

// leastLink returns the zero Link where there is none.
func (s *Store) leastLink(anonymousID string) (event.Link, error) {
	return through(s.links, s.links.owners, anonymousID, func() (least event.Link, err error) {
		prefix := append(idKey('o', anonymousID), 0)
		err = s.db.scan(prefix, after(prefix), func(key, _ []byte) (err error) {
			if least, err = decodeLink(key); err != nil {
				return err
			}
			return errFound
		})
		return least, err
	})
}

// LinkedTo implements store.Links.
func (s *Store) LinkedTo(ctx context.Context, userID string, limit int) ([]string, error) {
	linked, err := through(s.links, s.links.linked, userID, func() (linkedIDs, error) {
		return s.firstLinked(userID, limit)
	})
	if err == nil && len(linked.ids) == linked.limit && linked.limit < limit { // what is kept is what another wanted
		linked, err = s.firstLinked(userID, limit)
	}
	return slices.Clone(linked.ids[:min(limit, len(linked.ids))]), errors.Join(err, ctx.Err())
}

// linkedIDs are the first anonymous ids that were seen with a user, as many as limit.
type linkedIDs struct {
	ids   []string
	limit int
}

func (s *Store) firstLinked(userID string, limit int) (linkedIDs, error) {
	first := linkedIDs{limit: limit}
	prefix := userLinkKey(userID, "")
	err := s.db.scan(prefix, after(prefix), func(key, _ []byte) error {
		if len(first.ids) == limit {
			return errFound
		}
		first.ids = append(first.ids, string(key[len(prefix):]))
		return nil
	})
	return first, err
}

// SeenWith implements store.Links.
func (s *Store) SeenWith(ctx context.Context, anonymousID string, limit int) ([]string, error) {
	var users []string
	prefix := append(idKey('o', anonymousID), 0)
	err := s.db.scan(prefix, after(prefix), func(key, _ []byte) error { // in the order of times
		link, err := decodeLink(key)
		if err != nil {
			return err
		}
		if i, found := slices.BinarySearch(users, link.UserID); !found {
			users = slices.Insert(users, i, link.UserID)
		}
		return nil
	})
	return users[:min(limit, len(users))], errors.Join(err, ctx.Err())
}
