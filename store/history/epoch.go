package history

import (
	"context"
	"errors"
	"fmt"
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
)

// fence is a row of the log that names an epoch.
type fence struct {
	row   store.Seq
	epoch string
	// before is the last epoch before this one that the process read features in, and used
	// says that it has read some in this one.
	before string
	used   atomic.Bool
}

// epochs is what a process knows of the epochs of a shard's features.
type epochs struct {
	// fence is the newest that was read; where there is none, the empty epoch counts.
	fence atomic.Pointer[fence]

	mu sync.Mutex // held while the process settles for one
	// superseded is since when the place that the process reads from is another than the
	// fence's; zero while it is not.
	superseded time.Time
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
// to that of the newest fence, where it has not followed them yet.
func (e *epochs) left(epoch string) bool {
	f := e.newest()
	return epoch == f.before && !f.used.Load()
}

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

// settle sees to it that the epoch that counts is the one in which features were read. It
// returns false where they must be read again.
func (s *shard) settle(ctx context.Context, found []store.Stored) (settled bool, err error) {
	for _, stored := range found {
		if !s.epochs.counts(stored.Epoch) {
			return false, s.settleFor(ctx, stored.Epoch)
		}
	}
	return true, nil
}

// settleFor brings the epoch that is there and the newest fence together.
func (s *shard) settleFor(ctx context.Context, epoch store.Epoch) error {
	s.epochs.mu.Lock()
	defer s.epochs.mu.Unlock()
	for began := time.Now(); ; {
		head, err := s.readFences(ctx)
		if err != nil {
			return err
		}
		switch {
		case s.epochs.counts(epoch):
			s.epochs.superseded = time.Time{}
			return nil
		case epoch.New:
			if err := s.putFence(ctx, head+1, epoch.ID); err != nil {
				return err
			}
			continue
		case s.epochs.left(epoch.ID):
			if s.epochs.superseded.IsZero() {
				s.epochs.superseded = time.Now()
				s.history.options.Logger.Warn("another server keeps features in another place; waiting to be led there", "shard", s.number)
			}
			if time.Since(s.epochs.superseded) < s.history.options.LeaveAfter {
				return fmt.Errorf("features are kept in another place by now: %w", event.ErrUnavailable)
			}
		case epoch.ID != s.epochs.newest().before && time.Since(began) < fencedWithin:
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(lookForFence):
			}
			continue
		}
		if epoch, err = s.history.stores.BeginEpoch(ctx, s.number, epoch.ID); err != nil {
			return err
		}
		began = time.Now()
	}
}

// putFence appends a fence and notes it for those who follow, unless another row was faster.
func (s *shard) putFence(ctx context.Context, seq store.Seq, epoch string) error {
	err := s.history.stores.Append(ctx, s.number, seq, encodeFence(epoch))
	switch {
	case errors.Is(err, store.ErrTaken):
		return nil
	case err == nil:
		err = s.history.stores.SetFence(ctx, s.number, seq)
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
		row, err := decodeRow(data)
		if err != nil {
			return err
		}
		s.noteFence(seq, row)
		head = seq
		return nil
	})
	return head, err
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
		row, err := decodeRow(data)
		if err != nil {
			return err
		}
		s.noteFence(seq, row)
		return errStop
	})
	return ignoreStop(err)
}
