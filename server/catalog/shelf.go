package catalog

import (
	"context"
	"hash/maphash"
	"maps"
	"sync"
	"sync/atomic"

	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/store"
)

const (
	// parts is the number of maps that the items are spread over. A write copies the maps
	// that it touches.
	parts = 1024
	// loadPage is the number of items read at once when a Shelf is loaded.
	loadPage = 5_000
)

// Shelf is the catalog in memory: reads take no lock, and see a write as soon as it is
// durable. Its items are shared and must not be changed.
type Shelf struct {
	store   store.Catalog
	seed    maphash.Seed
	writing sync.Mutex // held from the write to the store until the shelf shows it
	parts   [parts]atomic.Pointer[map[string]*event.Item]
	count   atomic.Int64
	version atomic.Uint64
}

// OpenShelf loads the catalog.
func OpenShelf(ctx context.Context, catalog store.Catalog) (*Shelf, error) {
	s := &Shelf{store: catalog, seed: maphash.MakeSeed()}
	loaded := make([]map[string]*event.Item, parts)
	for i := range loaded {
		loaded[i] = map[string]*event.Item{}
		s.parts[i].Store(&loaded[i])
	}
	for after := ""; ; {
		page, err := catalog.Items(ctx, after, loadPage)
		if err != nil {
			return nil, err
		}
		for i := range page {
			loaded[s.part(page[i].ID)][page[i].ID] = &page[i]
		}
		s.count.Add(int64(len(page)))
		if len(page) < loadPage {
			return s, nil
		}
		after = page[len(page)-1].ID
	}
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

// Put stores the items, durably, each in the place of the one with its id; of those with
// the same id the last counts.
func (s *Shelf) Put(ctx context.Context, items []event.Item) error {
	if len(items) == 0 {
		return nil
	}
	s.writing.Lock()
	defer s.writing.Unlock()
	if err := s.store.PutItems(ctx, items); err != nil {
		return err
	}
	touched := map[int]map[string]*event.Item{}
	for i := range items {
		n := s.part(items[i].ID)
		if touched[n] == nil {
			touched[n] = maps.Clone(*s.parts[n].Load())
		}
		touched[n][items[i].ID] = &items[i]
	}
	s.show(touched)
	return nil
}

// Delete removes an item, durably: event.ErrNotFound where there is none.
func (s *Shelf) Delete(ctx context.Context, id string) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	if err := s.store.DeleteItem(ctx, id); err != nil {
		return err
	}
	n := s.part(id)
	left := maps.Clone(*s.parts[n].Load())
	delete(left, id)
	s.show(map[int]map[string]*event.Item{n: left})
	return nil
}

func (s *Shelf) show(touched map[int]map[string]*event.Item) {
	for n, items := range touched {
		before := s.parts[n].Swap(&items)
		s.count.Add(int64(len(items) - len(*before)))
	}
	s.version.Add(1)
}
