package catalog

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/store"
	"github.com/attune-shop/attune/store/repeat"
)

const (
	// parts is the number of maps that the items are spread over. A write copies the maps
	// that it touches.
	parts = 1024
	// lookEvery is the time between two looks for what other processes changed.
	lookEvery = 500 * time.Millisecond
	// maxTries bounds how often a change is tried where others change items, too.
	maxTries = 50
)

// Shelf is the catalog in memory: reads take no lock, and see a write as soon as it is
// durable, another process's within a second. Its items are shared and must not be changed.
type Shelf struct {
	store   store.Catalog
	logger  *slog.Logger
	seed    maphash.Seed
	stop    context.CancelFunc
	running sync.WaitGroup

	// writing is held from the write to the store until the shelf shows it; revision is
	// the last that it shows.
	writing  sync.Mutex
	revision store.Seq

	parts   [parts]atomic.Pointer[map[string]*event.Item]
	count   atomic.Int64
	version atomic.Uint64
	ordered atomic.Pointer[ordered]
}

// ordered is the ids of all items in order, as of a version.
type ordered struct {
	version uint64
	ids     []string
}

// OpenShelf loads the catalog and, where others share it, follows their changes until Close.
func OpenShelf(ctx context.Context, catalog store.Catalog, logger *slog.Logger) (*Shelf, error) {
	s := &Shelf{store: catalog, logger: logger, seed: maphash.MakeSeed()}
	if err := s.load(ctx); err != nil {
		return nil, err
	}
	following, stop := context.WithCancel(context.WithoutCancel(ctx))
	s.stop = stop
	if catalog.Shared() {
		s.running.Go(func() { s.follow(following) })
	}
	return s, nil
}

// Close ends what OpenShelf began.
func (s *Shelf) Close() error {
	s.stop()
	s.running.Wait()
	return nil
}

// load reads all items and shows them in the place of those that it has; s.writing is held,
// or nobody else has s yet.
func (s *Shelf) load(ctx context.Context) error {
	loaded := make([]map[string]*event.Item, parts)
	for i := range loaded {
		loaded[i] = map[string]*event.Item{}
	}
	revision, err := s.store.Items(ctx, func(item event.Item) error {
		loaded[s.part(item.ID)][item.ID] = &item
		return nil
	})
	if err != nil {
		return err
	}
	count := 0
	for i := range loaded {
		s.parts[i].Store(&loaded[i])
		count += len(loaded[i])
	}
	s.count.Store(int64(count))
	s.revision = revision
	s.version.Add(1)
	return nil
}

// follow shows what other processes change.
func (s *Shelf) follow(ctx context.Context) {
	warn := rate.Sometimes{Interval: time.Minute}
	look := func(ctx context.Context) error {
		s.writing.Lock()
		defer s.writing.Unlock()
		return s.catchUp(ctx)
	}
	repeat.Look(ctx, lookEvery, look, func(err error) {
		warn.Do(func() {
			s.logger.Warn("other processes' changes of the catalog cannot be seen; said once a minute", "error", err)
		})
	})
}

// catchUp shows the changes after the revision; s.writing is held.
func (s *Shelf) catchUp(ctx context.Context) error {
	err := s.store.ItemChanges(ctx, s.revision, func(revision store.Seq, change store.ItemChange) error {
		s.show(change)
		s.revision = revision
		return nil
	})
	if errors.Is(err, event.ErrNotFound) {
		return s.load(ctx)
	}
	return err
}

func (s *Shelf) part(id string) int { return int(maphash.String(s.seed, id) % parts) }

// Item returns the item with that id.
func (s *Shelf) Item(id string) (*event.Item, bool) {
	item, ok := (*s.parts[s.part(id)].Load())[id]
	return item, ok
}

// Each calls fn for every item, in no order, until it returns false. It holds up nobody;
// items written meanwhile may be among them.
func (s *Shelf) Each(fn func(*event.Item) bool) {
	for i := range s.parts {
		for _, item := range *s.parts[i].Load() {
			if !fn(item) {
				return
			}
		}
	}
}

// Len returns the number of items.
func (s *Shelf) Len() int { return int(s.count.Load()) }

// Version returns a number that changes with each write.
func (s *Shelf) Version() uint64 { return s.version.Load() }

// After returns up to limit items whose ids are greater, in the order of ids. The first
// call after a change sorts all ids.
func (s *Shelf) After(id string, limit int) []*event.Item {
	version := s.Version()
	known := s.ordered.Load()
	if known == nil || known.version != version {
		known = &ordered{version: version, ids: make([]string, 0, s.Len())}
		s.Each(func(item *event.Item) bool {
			known.ids = append(known.ids, item.ID)
			return true
		})
		slices.Sort(known.ids)
		s.ordered.Store(known)
	}
	from, found := slices.BinarySearch(known.ids, id)
	if found {
		from++
	}
	items := make([]*event.Item, 0, min(limit, len(known.ids)-from))
	for _, id := range known.ids[from:] {
		if len(items) == limit {
			break
		}
		if item, ok := s.Item(id); ok {
			items = append(items, item)
		}
	}
	return items
}

// Put stores the items, durably, each in the place of the one with its id; of those with
// the same id the last counts.
func (s *Shelf) Put(ctx context.Context, items []event.Item) error {
	if len(items) == 0 {
		return nil
	}
	last := make(map[string]int, len(items))
	for i := range items {
		last[items[i].ID] = i
	}
	change := store.ItemChange{Put: make([]event.Item, 0, len(last))}
	for i := range items {
		if last[items[i].ID] == i {
			change.Put = append(change.Put, items[i])
		}
	}
	return s.change(ctx, func() (store.ItemChange, error) { return change, nil })
}

// Delete removes an item, durably: event.ErrNotFound where there is none.
func (s *Shelf) Delete(ctx context.Context, id string) error {
	return s.change(ctx, func() (store.ItemChange, error) {
		if _, ok := s.Item(id); !ok {
			return store.ItemChange{}, event.ErrNotFound
		}
		return store.ItemChange{Delete: []string{id}}, nil
	})
}

// change stores what decide says of the catalog as it is, and shows it.
func (s *Shelf) change(ctx context.Context, decide func() (store.ItemChange, error)) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	for range maxTries {
		if s.store.Shared() {
			if err := s.catchUp(ctx); err != nil {
				return err
			}
		}
		change, err := decide()
		if err != nil {
			return err
		}
		revision, err := s.store.ChangeItems(ctx, s.revision, change)
		if errors.Is(err, store.ErrTaken) {
			continue
		}
		if err != nil {
			return err
		}
		s.revision = revision
		s.show(change)
		return nil
	}
	return fmt.Errorf("others change the catalog all the time: %w", event.ErrExhausted)
}

// show makes a change visible; s.writing is held.
func (s *Shelf) show(change store.ItemChange) {
	touched := map[int]map[string]*event.Item{}
	part := func(id string) map[string]*event.Item {
		n := s.part(id)
		if touched[n] == nil {
			touched[n] = maps.Clone(*s.parts[n].Load())
		}
		return touched[n]
	}
	for i := range change.Put {
		part(change.Put[i].ID)[change.Put[i].ID] = &change.Put[i]
	}
	for _, id := range change.Delete {
		delete(part(id), id)
	}
	for n, items := range touched {
		before := s.parts[n].Swap(&items)
		s.count.Add(int64(len(items) - len(*before)))
	}
	s.version.Add(1)
}
