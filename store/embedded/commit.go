package embedded

import (
	"context"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"
)

// commit commits and closes a batch. Where the disk becomes full it returns
// event.ErrExhausted at once while the commit waits for room. finished runs when the
// commit has really ended, before a commit that ended in time returns.
func (s *Store) commit(batch *pebble.Batch, how *pebble.WriteOptions, finished func(error)) error {
	full := s.space.full()
	done := make(chan error, 1)
	s.commits.Add(1)
	go func() {
		defer s.commits.Done()
		defer s.guard()
		err := translate(batch.Commit(how))
		err = errors.Join(err, translate(batch.Close()))
		finished(err)
		done <- err
	}()
	select {
	case err := <-done:
		return err
	case <-full:
		return s.space.exhausted
	}
}

// write commits what fill puts into a batch, synced.
func (s *Store) write(ctx context.Context, fill func(*pebble.Batch) error) error {
	if err := errors.Join(ctx.Err(), s.space.check()); err != nil {
		return err
	}
	return s.put(ctx, pebble.Sync, fill)
}

// put commits what fill puts into a batch.
func (s *Store) put(ctx context.Context, how *pebble.WriteOptions, fill func(*pebble.Batch) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	batch := s.db.NewBatch()
	if err := fill(batch); err != nil {
		return errors.Join(translate(err), translate(batch.Close()))
	}
	return s.commit(batch, how, func(error) {})
}

// guard ends the process after a panic of Pebble's, which leaves its locks held.
func (s *Store) guard() {
	if cause := recover(); cause != nil {
		s.fatal(fmt.Sprint(cause))
	}
}

// gate lets one at a time through, as a mutex does, but nobody waits at it for a disk to
// get room, and whoever went in need not be the one who leaves.
type gate chan struct{}

func newGate() gate { return make(gate, 1) }

func (g gate) leave() { <-g }

// enter returns once the caller is alone inside; it must leave.
func (s *Store) enter(ctx context.Context, g gate) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	full := s.space.full()
	select {
	case g <- struct{}{}:
		return nil
	default:
	}
	select {
	case g <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-full:
		return s.space.exhausted
	}
}
