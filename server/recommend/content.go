package recommend

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/attune-shop/attune/model/rank"
)

const (
	// smallCatalog is the number of items up to which a request waits for their index:
	// some milliseconds.
	smallCatalog = 1000
	// buildShare bounds the time spent on indexing to one part in so many.
	buildShare = 20
)

// contentIndex keeps the index of the catalog's content up with catalog and model. A small
// catalog is indexed at once when it has changed; a large one beside the requests, which
// use the index before it, and no more often than buildShare allows.
type contentIndex struct {
	latest   atomic.Pointer[indexed]
	building sync.Mutex
	running  sync.WaitGroup
}

type indexed struct {
	content *rank.Content
	shelf   uint64
	model   string
	// until is when the next may be begun.
	until time.Time
}

func (x *contentIndex) current(shelf Shelf, model rank.Model, version string) *rank.Content {
	last := x.latest.Load()
	if last != nil && last.shelf == shelf.Version() && last.model == version {
		return last.content
	}
	switch {
	case last == nil || shelf.Len() <= smallCatalog:
		x.building.Lock()
		defer x.building.Unlock()
		x.build(shelf, model, version)
	case time.Now().After(last.until) && x.building.TryLock():
		x.running.Go(func() {
			defer x.building.Unlock()
			x.build(shelf, model, version)
		})
	}
	return x.latest.Load().content
}

// build needs building to be held.
func (x *contentIndex) build(shelf Shelf, model rank.Model, version string) {
	last := x.latest.Load()
	at := shelf.Version() // read first: what is written meanwhile makes another change
	if last != nil && last.shelf == at && last.model == version {
		return
	}
	begun := time.Now()
	content := rank.NewContent(shelf, model)
	end := time.Now()
	x.latest.Store(&indexed{content: content, shelf: at, model: version, until: end.Add(buildShare * end.Sub(begun))})
}

func (x *contentIndex) wait() { x.running.Wait() }
