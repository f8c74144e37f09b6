package audience

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/model/likeness"
	"github.com/attune-shop/attune/model/propensity"
	"github.com/attune-shop/attune/store"
	"github.com/attune-shop/attune/store/lease"
)

// Store is where what is learned is kept.
type Store interface {
	store.Registers
	store.Leases
}

// Stamp tells one thing that was learned from another.
type Stamp struct {
	// Version counts what was learned, from 1 on.
	Version   int64     `json:"version"`
	LearnedAt time.Time `json:"learned_at"`
}

func (s *Stamp) stamp() *Stamp { return s }

// stamped is a pointer to what is learned, which has a Stamp.
type stamped[T any] interface {
	*T
	stamp() *Stamp
	// worth returns what it reached on what was held out, and what its baseline did.
	worth() (auc, baseline float64)
}

// learner learns one thing, one process at a time, and keeps it.
type learner[T any, P stamped[T]] struct {
	kept[T]
	// what is learned, as texts say it.
	what   string
	store  Store
	now    func() time.Time
	logger *slog.Logger
}

// newLearner returns a learner that keeps what it learns in a register, under whose name a lease is held
// while it learns.
func newLearner[T any, P stamped[T]](name, what string, store Store, now func() time.Time, logger *slog.Logger) *learner[T, P] {
	return &learner[T, P]{kept: kept[T]{registers: store, name: name}, what: what, store: store, now: now, logger: logger}
}

// open reads what was learned. What cannot be read is logged and done without: it is learned again.
func (l *learner[T, P]) open(ctx context.Context) error {
	err := l.refresh(ctx)
	if errors.Is(err, event.ErrCorrupt) || errors.Is(err, event.ErrNewerVersion) {
		l.logger.ErrorContext(ctx, "what was learned is not understood and left alone", "what", l.what, "error", err)
		return nil
	}
	return err
}

// learn fits where that is still due once the lease is held, for another process may have learned a
// moment ago; then it returns what that learned. What is fitted is stored and put in service here. Where
// another process learns it returns event.ErrBusy.
func (l *learner[T, P]) learn(ctx context.Context, due func(*T) bool, fit func(context.Context) (*T, error)) (*T, error) {
	held, err := lease.Take(ctx, l.store, l.name, l.logger)
	if err != nil {
		return nil, fmt.Errorf("learning %s is %w", l.what, err)
	}
	defer held.End()
	if err := l.refresh(ctx); err != nil && !errors.Is(err, event.ErrCorrupt) {
		return nil, err
	}
	if current := l.current.Load(); !due(current) {
		return current, nil
	}
	learnedAt := l.now().UTC().Truncate(time.Microsecond)
	learned, err := fit(held.Context())
	if err == nil {
		err = held.Renew()
	}
	if err == nil {
		learned, err = l.replace(held.Context(), func(before *T) *T {
			stamp := P(learned).stamp()
			stamp.Version, stamp.LearnedAt = 1, learnedAt
			if before != nil {
				stamp.Version = P(before).stamp().Version + 1
			}
			return learned
		})
	}
	if cause := context.Cause(held.Context()); err != nil && errors.Is(cause, lease.ErrLost) {
		err = fmt.Errorf("learning %s stopped: %w", l.what, cause)
	}
	if err != nil {
		return nil, err
	}
	auc, baseline := P(learned).worth()
	l.logger.InfoContext(ctx, "learned", "what", l.what, "version", P(learned).stamp().Version, "auc", auc, "baseline_auc", baseline)
	return learned, nil
}

// old tells whether there is nothing yet, or what was learned long ago.
func (l *learner[T, P]) old(learned *T) bool {
	return learned == nil || l.now().Sub(P(learned).stamp().LearnedAt) >= lastsFor
}

// always says that it is due.
func always[T any](*T) bool { return true }

// tooLittle tells whether there was too little to learn from.
func tooLittle(err error) bool {
	return errors.Is(err, propensity.ErrTooLittle) || errors.Is(err, likeness.ErrTooFew)
}
