package membership

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/store"
	"github.com/attune-shop/attune/store/history"
	"github.com/attune-shop/attune/store/repeat"
)

// sweepEvery is the time between two looks whether something is to be swept.
const sweepEvery = 100 * time.Millisecond

// Progress is how far the sweep under way is.
type Progress struct {
	// Numbers are those of the segments that are asked for.
	Numbers []uint32 `json:"numbers"`
	// Users were looked at, of Total: as many as there were when all were last looked at, 0 where
	// that is not known.
	Users int64 `json:"users"`
	Total int64 `json:"total"`
}

// basis is what the answers of a segment's rule depend on beside the users: what was published of
// it by another basis is of no use.
func (p *Publisher) basis(e *Edition, i int) string {
	basis := fmt.Sprintf("rule %d", e.Segments[i].Revision)
	rule := e.Rules[i]
	if rule == nil {
		return basis
	}
	if rule.Reads().Scale {
		basis += fmt.Sprintf(", scale %d", e.ScaleRevision)
	}
	if more := p.options.Basis(rule.Reads()); more != "" {
		basis += ", " + more
	}
	return basis
}

// State is how far the members of a segment are known.
type State struct {
	// Ready says that every user was asked.
	Ready bool
	// Asked users of about Total were asked; Total is 0 where that is not known.
	Asked, Total int64
}

// States returns the state of each segment of an edition, whichever process publishes.
func (p *Publisher) States(ctx context.Context, e *Edition) ([]State, error) {
	last, err := load(ctx, p.options.Store)
	if err != nil {
		return nil, err
	}
	progress := p.progress.Load()
	if progress == nil && p.options.Store.Shared() {
		data, err := p.options.Store.Checkpoint(ctx, progressName)
		if err == nil {
			err = json.Unmarshal(data, &progress)
		}
		if err != nil && !errors.Is(err, event.ErrNotFound) {
			return nil, fmt.Errorf("progress of segments: %w", err)
		}
	}
	states := make([]State, len(e.Segments))
	for i := range states {
		number := e.Segments[i].Number
		states[i] = State{Ready: last.Swept[number] == p.basis(e, i), Total: last.Users}
		if progress != nil && slices.Contains(progress.Numbers, number) {
			states[i].Asked, states[i].Total = progress.Users, progress.Total
		}
	}
	return states, nil
}

// pending returns the segments of which not every user was asked by their present basis, and
// the bases by number.
func (p *Publisher) pending(e *Edition) (bits, map[uint32]string) {
	which, bases := newBits(len(e.Segments)), map[uint32]string{}
	for i := range e.Segments {
		number := e.Segments[i].Number
		if basis := p.basis(e, i); e.Rules[i] != nil && p.place.swept(number) != basis {
			which.set(i)
			bases[number] = basis
		}
	}
	return which, bases
}

// sweep asks every user for the segments that are new or have another rule, until ctx ends.
func (p *Publisher) sweep(ctx context.Context) error {
	return ended(ctx, repeat.Every(ctx, sweepEvery, func(ctx context.Context) error {
		p.rewind()
		p.editing.RLock()
		e := p.edition
		p.editing.RUnlock()
		which, bases := p.pending(e)
		if len(bases) == 0 || !p.following.Load() {
			return nil
		}
		users, err := p.askEverybody(ctx, e, which, bases)
		p.progress.Store(nil)
		if err != nil {
			return err
		}
		p.place.sweptAll(e, bases, users)
		return p.save(ctx)
	}))
}

// askEverybody looks at every user there is. What a scan saw of a user is as good as what is known
// now, unless the user was looked at since the scan began: then that is read anew.
func (p *Publisher) askEverybody(ctx context.Context, e *Edition, which bits, bases map[uint32]string) (int64, error) {
	progress := Progress{Numbers: slices.Sorted(maps.Keys(bases)), Total: p.place.users()}
	for _, s := range p.shards {
		s.mu.Lock()
		s.touched = map[string]struct{}{}
		s.mu.Unlock()
	}
	defer func() {
		for _, s := range p.shards {
			s.mu.Lock()
			s.touched = nil
			s.mu.Unlock()
		}
	}()
	var looked atomic.Int64
	tell := func() {
		now := progress
		now.Users = looked.Load()
		p.progress.Store(&now)
	}
	tell()
	anybody := func(int, string) bool { return true }
	err := p.inBatches(ctx, max(2, runtime.GOMAXPROCS(0)), lookAtOnce, anybody, func(ctx context.Context, n int, users []question) error {
		// A scan may come by the same user more than once.
		slices.SortFunc(users, byUser)
		users = slices.CompactFunc(users, func(a, b question) bool { return a.userID == b.userID })
		for i := range users {
			users[i].which = which
		}
		err := p.look(ctx, p.shards[n], e, users)
		looked.Add(int64(len(users)))
		tell()
		return err
	})
	return looked.Load(), err
}

// inBatches scans everybody and calls do with users of one shard, size of them at most, from so many
// workers at once. Whom take does not take is left out; it is called by one goroutine. What the scan
// comes by more than once, do is called with as often.
func (p *Publisher) inBatches(
	ctx context.Context, workers, size int, take func(shard int, userID string) bool, do func(ctx context.Context, shard int, users []question) error,
) error {
	group, working := errgroup.WithContext(ctx)
	group.SetLimit(workers)
	batches := make([][]question, p.options.Store.Shards())
	send := func(n int) {
		batch := batches[n]
		batches[n] = nil
		group.Go(func() error { return do(working, n, batch) })
	}
	err := p.options.Log.EachUser(working, func(seen history.Sighting) error {
		n, id := store.ShardOf(seen.User, len(batches)), seen.User.ID()
		if !take(n, id) {
			return nil
		}
		if batches[n] = append(batches[n], question{userID: id, seen: &seen}); len(batches[n]) >= size {
			send(n)
		}
		return working.Err()
	})
	for n, batch := range batches {
		if err == nil && len(batch) > 0 {
			send(n)
		}
	}
	if failed := group.Wait(); failed != nil {
		return failed
	}
	return err
}
