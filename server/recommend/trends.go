package recommend

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"sync"
	"time"

	"github.com/attune-shop/attune/model/cf/feedback"
	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/model/trend"
	"github.com/attune-shop/attune/store"
	"github.com/attune-shop/attune/store/history"
)

const (
	// checkpointName is that of what Trends knows.
	checkpointName = "trends"
	// checkpointEvery is the time between two checkpoints; checkpointShare bounds the time
	// spent on them to one part in so many.
	checkpointEvery = 30 * time.Second
	checkpointShare = 30
	// retryAfter is the wait after the log could not be read.
	retryAfter = time.Second
	// topItems bounds a list of trending items, before filters.
	topItems = 5_000
	// topLists bounds the lists that are kept; freshFor is how long a long one is, and
	// shortList is the number of items up to which a list is made again with every change.
	topLists  = 64
	freshFor  = time.Second
	shortList = 200
)

// Log is what Trends follows; *history.History is one.
type Log interface {
	Follow(ctx context.Context, from history.Cursor, fn func(shard int, seq store.Seq, events []event.Event) error) error
}

// Trends follows the log and counts what happened of late. What it knows is saved
// together with its place in the log, so that a restart reads only the tail.
type Trends struct {
	log         Log
	checkpoints store.Checkpoints
	weights     feedback.Weights
	now         func() time.Time
	logger      *slog.Logger
	stop        context.CancelFunc
	running     sync.WaitGroup

	mu       sync.Mutex
	counters *trend.Counters
	cursor   history.Cursor
	saved    uint64
	tops     map[topKey]top
}

type topKey struct {
	window time.Duration
	kind   event.Type
}

type top struct {
	list    []trend.Count
	changes uint64
	at      time.Time
}

// OpenTrends reads the last checkpoint and follows the log from there until Close. A
// checkpoint that is damaged is made again from the log; one of a newer version is
// event.ErrNewerVersion.
func OpenTrends(ctx context.Context, log Log, checkpoints store.Checkpoints, weights feedback.Weights, now func() time.Time, logger *slog.Logger) (*Trends, error) {
	t := &Trends{
		log: log, checkpoints: checkpoints, weights: weights, now: now, logger: logger,
		counters: &trend.Counters{}, cursor: history.Cursor{}, tops: map[topKey]top{},
	}
	err := t.restore(ctx)
	switch {
	case errors.Is(err, event.ErrCorrupt):
		logger.Warn("the trends checkpoint is damaged; counting anew", "error", err)
	case err != nil && !errors.Is(err, event.ErrNotFound):
		return nil, fmt.Errorf("trends: %w", err)
	}
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	t.stop = stop
	t.running.Go(func() { t.follow(running) })
	t.running.Go(func() { t.saveEvery(running) })
	return t, nil
}

// restore goes back to the last checkpoint. After an error it knows nothing, as before.
func (t *Trends) restore(ctx context.Context) error {
	data, err := t.checkpoints.Checkpoint(ctx, checkpointName)
	if err != nil {
		return err
	}
	counters, cursor, err := decodeCheckpoint(data)
	if err != nil {
		return err
	}
	t.counters, t.cursor, t.saved = counters, cursor, counters.Changes()
	return nil
}

// Close stops following and saves a last checkpoint. The log must still be open.
func (t *Trends) Close() error {
	t.stop()
	t.running.Wait()
	return t.save(context.Background())
}

// Top returns the items with the most events in the window that ends now, best first:
// of one type, or of every type by its weight where kind is empty. The list is shared and
// must not be changed. A long list may be up to a second old.
func (t *Trends) Top(now time.Time, window time.Duration, kind event.Type) []trend.Count {
	t.mu.Lock()
	defer t.mu.Unlock()
	key := topKey{window, kind}
	last, ok := t.tops[key]
	age := now.Sub(last.at)
	same := ok && last.changes == t.counters.Changes() && age >= 0 && age < time.Minute
	if same || ok && len(last.list) > shortList && age >= 0 && age < freshFor {
		return last.list
	}
	if !ok && len(t.tops) >= topLists {
		clear(t.tops)
	}
	made := top{
		list:    t.counters.Top(now, window, kind, t.weights.Of, topItems),
		changes: t.counters.Changes(), at: now,
	}
	t.tops[key] = made
	return made.list
}

// follow reads the log until ctx ends, again after errors.
func (t *Trends) follow(ctx context.Context) {
	for ctx.Err() == nil {
		t.mu.Lock()
		from := maps.Clone(t.cursor)
		t.mu.Unlock()
		err := t.log.Follow(ctx, from, t.count)
		if ctx.Err() != nil {
			return
		}
		t.logger.Error("trends do not see new events", "error", err)
		select {
		case <-ctx.Done():
		case <-time.After(retryAfter):
		}
	}
}

// count takes in one row of the log.
func (t *Trends) count(shard int, seq store.Seq, events []event.Event) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if seq <= t.cursor[shard] {
		return nil
	}
	for i := range events {
		e := &events[i]
		if e.Type == event.Identify {
			continue // is about no item
		}
		if len(e.Lines) == 0 {
			t.counters.Add(e.OccurredAt, e.Type, e.ItemID, 1)
		}
		for _, line := range e.Lines {
			t.counters.Add(e.OccurredAt, e.Type, line.ItemID, 1)
		}
	}
	t.cursor[shard] = seq
	return nil
}

func (t *Trends) saveEvery(ctx context.Context) {
	for wait := checkpointEvery; ; {
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
			begun := time.Now()
			if err := t.save(ctx); err != nil && ctx.Err() == nil {
				t.logger.Error("trends are not saved", "error", err)
			}
			wait = max(checkpointEvery, checkpointShare*time.Since(begun))
		}
	}
}

// save stores a checkpoint, where something happened since the last.
func (t *Trends) save(ctx context.Context) error {
	t.mu.Lock()
	t.counters.Prune(t.now())
	changes := t.counters.Changes()
	if changes == t.saved {
		t.mu.Unlock()
		return nil
	}
	counters, cursor := t.counters.Clone(), maps.Clone(t.cursor)
	t.mu.Unlock()
	data := appendCheckpoint(nil, counters, cursor)
	if err := t.checkpoints.SaveCheckpoint(ctx, checkpointName, data); err != nil {
		return fmt.Errorf("trends: %w", err)
	}
	t.mu.Lock()
	t.saved = changes
	t.mu.Unlock()
	return nil
}
