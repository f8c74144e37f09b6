package history

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/store"
)

// Processes that share the stores must keep a shard's features in the same place, and know
// when that place lost them: else one folds a row into features that another does not read,
// and both take it for done. After a failover some may still reach the old place.
//
// So the log names the epoch of the features (store.Epoch) that counts: in a row without
// events, a fence. A fence takes a number of the log as every row does, so whoever appends
// or projects a row after it has read it, and knows whether its own place is the one.
// Features of another epoch are not read, and those of the fence's are made of what the log
// holds up to it at least.
//
// Whoever began an epoch fences it in, at once. Whose place stays another's than the
// fence's waits for its driver to find the new one; after Options.LeaveAfter, or where
// nobody fences in what is there, it begins a new epoch and fences that in.
const (
	// fencedWithin is the time in which whoever began an epoch fences it in.
	fencedWithin = 2 * time.Second
	// lookForFence is the time between two looks for a fence that another may be writing.
	lookForFence = 20 * time.Millisecond
	// settledWithin is the time after which a reader gives up.
	settledWithin = 10 * time.Second
)

// fence is a row of the log that names an epoch.
type fence struct {
	row   store.Seq
	epoch string
	// before is the last epoch before this one that the process read features in, and used
	// says that it has read some in this one.
	before string
	used   atomic.Bool
	// since is when the process first found the epoch before still there, and was alone
	// with it; under epochs.mu.
	since time.Time
}

// epochs is what a process knows of the epochs of a shard's features.
type epochs struct {
	// fence is the newest that was read; where there is none, the empty epoch counts.
	fence atomic.Pointer[fence]

	mu sync.Mutex // held while the process settles for one
	// begun is the epoch that the process began last, if no fence can name it yet: only such
	// an epoch may be fenced in, for features of an older one may lack what came since.
	begun string
}

// newest returns the newest fence that was read.
func (e *epochs) newest() *fence {
	if f := e.fence.Load(); f != nil {
		return f
	}
	return new(fence)
}

// counts tells whether an epoch, in which features were read, is the one of the newest fence.
func (e *epochs) counts(epoch store.Epoch) bool {
	f := e.newest()
	if f.epoch != epoch.ID {
		return false
	}
	if !f.used.Load() {
		f.used.Store(true)
	}
	return true
}

// left tells whether an epoch is the one that the process read features in until others went
// to that of the fence, where it has not followed them yet.
func (f *fence) left(epoch string) bool { return epoch == f.before && !f.used.Load() }

// note takes a fence in.
func (e *epochs) note(row store.Seq, epoch string) {
	read := &fence{row: row, epoch: epoch}
	for {
		known := e.fence.Load()
		if known != nil {
			if known.row >= row {
				return
			}
			if read.before = known.before; known.used.Load() {
				read.before = known.epoch
			}
		}
		if e.fence.CompareAndSwap(known, read) {
			return
		}
	}
}

// getFeatures reads what is stored in the epoch that counts.
func (s *shard) getFeatures(ctx context.Context, visitors []event.Visitor) ([]store.Stored, error) {
	var waited time.Duration
	for began := time.Now(); waited < settledWithin; waited = time.Since(began) {
		known := s.epochs.fence.Load()
		found, err := s.history.stores.GetFeatures(ctx, s.number, visitors)
		if err != nil {
			return nil, err
		}
		other := slices.IndexFunc(found, func(stored store.Stored) bool { return !s.epochs.counts(stored.Epoch) })
		if other < 0 {
			return found, nil
		}
		if err := s.settle(ctx, found[other].Epoch, known, waited); err != nil {
			return nil, err
		}
	}
	return nil, fmt.Errorf("features of shard %d are lost again and again: %w", s.number, event.ErrUnavailable)
}

// settle brings the epoch in which features were read and the newest fence a step together,
// so that they can be read again. known is the newest fence that was known before they were
// read, and waited how long the reader tries, 0 at first.
func (s *shard) settle(ctx context.Context, epoch store.Epoch, known *fence, waited time.Duration) error {
	s.epochs.mu.Lock()
	defer s.epochs.mu.Unlock()
	head, err := s.readFences(ctx)
	if err != nil {
		return err
	}
	if epoch.New {
		s.epochs.begun = epoch.ID
	}
	newest := s.epochs.newest()
	switch {
	case s.epochs.counts(epoch):
		return nil
	case s.epochs.fence.Load() != known: // it may be newer than what was read
		return nil
	case epoch.ID == s.epochs.begun:
		return s.putFence(ctx, head, epoch.ID)
	case newest.left(epoch.ID):
		if newest.since.IsZero() {
			newest.since = time.Now()
			s.history.options.Logger.Warn("another server keeps features in another place; waiting to be led there", "shard", s.number)
		}
		if time.Since(newest.since) < s.history.options.LeaveAfter {
			return fmt.Errorf("features are kept in another place by now: %w", event.ErrUnavailable)
		}
	case epoch.ID != newest.before && waited < fencedWithin:
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(lookForFence):
			return nil
		}
	}
	begun, err := s.history.stores.BeginEpoch(ctx, s.number, epoch.ID)
	if begun.New {
		s.epochs.begun = begun.ID
	}
	return err
}

// putFence appends a fence after the head and notes it for those who follow. Where another
// row was faster, which may be a fence, it does nothing.
func (s *shard) putFence(ctx context.Context, head store.Seq, epoch string) error {
	s.epochs.begun = ""
	err := s.history.stores.Append(ctx, s.number, head+1, encodeFence(epoch))
	switch {
	case errors.Is(err, store.ErrTaken):
		s.epochs.begun = epoch
		return nil
	case err == nil:
		s.epochs.note(head+1, epoch)
		err = s.history.stores.SetFence(ctx, s.number, head+1)
	}
	if err != nil {
		return fmt.Errorf("fence of shard %d: %w", s.number, err)
	}
	return nil
}

// readFences reads the fences after the last projected row and returns the head.
func (s *shard) readFences(ctx context.Context) (head store.Seq, err error) {
	head = store.Seq(s.projected.Load())
	err = s.history.stores.ReadLog(ctx, s.number, head+1, func(seq store.Seq, data []byte) error {
		head = seq
		return s.readFence(seq, data)
	})
	return head, err
}

// readFence reads a row that may be a fence.
func (s *shard) readFence(seq store.Seq, data []byte) error {
	row, err := decodeRow(data)
	if err == nil {
		s.noteFence(seq, row)
	}
	return err
}

// noteFence takes a row in that may be a fence.
func (s *shard) noteFence(seq store.Seq, row content) {
	if row.fence {
		s.epochs.note(seq, row.epoch)
	}
}

// followFence reads the newest fence that another process has noted. It bounds the time in
// which a process goes on reading from a place that others left, and has to come before the
// mark is followed, for what lies before that is not read.
func (s *shard) followFence(ctx context.Context) error {
	noted, err := s.history.stores.Fence(ctx, s.number)
	if err != nil {
		return fmt.Errorf("fence of shard %d: %w", s.number, err)
	}
	if noted <= s.epochs.newest().row {
		return nil
	}
	err = s.history.stores.ReadLog(ctx, s.number, noted, func(seq store.Seq, data []byte) error {
		if err := s.readFence(seq, data); err != nil {
			return err
		}
		return errStop
	})
	return ignoreStop(err)
}
