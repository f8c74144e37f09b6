package scylla

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
	"golang.org/x/sync/errgroup"

	"github.com/attune-shop/attune/model/event"
)

// knownLinks keeps links that are stored, so that a pair that is seen again costs no write.
// What is stored only gets less, so a link that is not less than a known one tells nothing.
type knownLinks struct {
	mu    sync.Mutex
	least *simplelru.LRU[[2]string, event.Link] // by anonymous id and user id
}

func newKnownLinks() *knownLinks {
	const size = 64 << 10
	least, err := simplelru.NewLRU[[2]string, event.Link](size, nil)
	if err != nil {
		panic(err) // the size is above 0
	}
	return &knownLinks{least: least}
}

// news returns the links that tell something.
func (k *knownLinks) news(links []event.Link) []event.Link {
	k.mu.Lock()
	defer k.mu.Unlock()
	var news []event.Link
	for _, l := range links {
		if known, ok := k.least.Get([2]string{l.AnonymousID, l.UserID}); !ok || l.Compare(known) < 0 {
			news = append(news, l)
		}
	}
	return news
}

func (k *knownLinks) add(links []event.Link) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, l := range links {
		pair := [2]string{l.AnonymousID, l.UserID}
		if known, ok := k.least.Get(pair); !ok || l.Compare(known) < 0 {
			k.least.Add(pair, l)
		}
	}
}

// PutLinks implements store.Links.
func (s *Store) PutLinks(ctx context.Context, links []event.Link) error {
	news := s.links.news(links)
	writing, inner := errgroup.WithContext(ctx)
	for _, l := range news {
		writing.Go(func() error {
			return s.exec(inner, `INSERT INTO linked (user_id, anonymous_id) VALUES (?, ?)`, l.UserID, l.AnonymousID)
		})
		writing.Go(func() error {
			return s.exec(inner, `INSERT INTO seen_with (anonymous_id, user_id) VALUES (?, ?)`, l.AnonymousID, l.UserID)
		})
		writing.Go(func() error {
			return s.exec(inner, `INSERT INTO owners (anonymous_id, link) VALUES (?, ?) USING TIMESTAMP ?`, l.AnonymousID, encodeLink(l), linkTimestamp(l))
		})
	}
	if err := writing.Wait(); err != nil {
		return fmt.Errorf("put links: %w", err)
	}
	s.links.add(news)
	return ctx.Err()
}

// Of two writes of a cell the one with the greater timestamp stays, and of the same
// timestamp the one with the greater value. So that the least link stays in whatever order
// links are written, an earlier link gets a greater timestamp, and of two links of the same
// second the lesser one is encoded as the greater value.

// linkTimestamp grows as the time of the link goes back, by seconds. It is above 0, and far
// below the time of any write, for ScyllaDB refuses timestamps of the future.
func linkTimestamp(l event.Link) int64 { return 1e12 - l.OccurredAt.Unix() }

// encodeLink returns bytes whose order is the reverse of that of links: time, event id and
// user id with every bit inverted. An id holds no zero byte, so an inverted one ends it.
func encodeLink(l event.Link) []byte {
	data := binary.BigEndian.AppendUint64(nil, uint64(l.OccurredAt.UnixNano())+1<<63)
	data = append(append(data, l.EventID...), 0)
	data = append(append(data, l.UserID...), 0)
	for i := range data {
		data[i] = ^data[i]
	}
	return data
}

func decodeLink(anonymousID string, data []byte) (event.Link, error) {
	plain := slices.Clone(data)
	for i := range plain {
		plain[i] = ^plain[i]
	}
	l := event.Link{AnonymousID: anonymousID}
	if len(plain) < 8 {
		return l, fmt.Errorf("link of %d bytes: %w", len(plain), event.ErrCorrupt)
	}
	l.OccurredAt = time.Unix(0, int64(binary.BigEndian.Uint64(plain)-1<<63)).UTC()
	id, rest, found := cutZero(plain[8:])
	user, rest, found2 := cutZero(rest)
	if !found || !found2 || len(rest) != 0 {
		return l, fmt.Errorf("link of %d bytes: %w", len(plain), event.ErrCorrupt)
	}
	l.EventID, l.UserID = id, user
	return l, nil
}

func cutZero(data []byte) (text string, rest []byte, found bool) {
	i := slices.Index(data, 0)
	if i < 0 {
		return "", nil, false
	}
	return string(data[:i]), data[i+1:], true
}

// Owner implements store.Links.
func (s *Store) Owner(ctx context.Context, anonymousID string) (event.Link, error) {
	var data []byte
	if err := s.one(ctx, []any{&data}, `SELECT link FROM owners WHERE anonymous_id = ?`, anonymousID); err != nil {
		if !errors.Is(err, event.ErrNotFound) {
			err = fmt.Errorf("owner: %w", err)
		}
		return event.Link{}, err
	}
	return decodeLink(anonymousID, data)
}

// LinkedTo implements store.Links.
func (s *Store) LinkedTo(ctx context.Context, userID string, limit int) ([]string, error) {
	var ids []string
	err := read(ctx, s, idPage, func(id *string) []any { return []any{id} },
		func(id *string) error { ids = append(ids, *id); return nil },
		`SELECT anonymous_id FROM linked WHERE user_id = ? LIMIT ?`, userID, limit)
	return ids, err
}

// SeenWith implements store.Links.
func (s *Store) SeenWith(ctx context.Context, anonymousID string, limit int) ([]string, error) {
	var ids []string
	err := read(ctx, s, idPage, func(id *string) []any { return []any{id} },
		func(id *string) error { ids = append(ids, *id); return nil },
		`SELECT user_id FROM seen_with WHERE anonymous_id = ? LIMIT ?`, anonymousID, limit)
	return ids, err
}
