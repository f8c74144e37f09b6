// Package lease keeps a lease of package store for as long as its holder works: it takes the
// lease, renews it in the background, and ends the work where it is lost.
package lease

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/store"
)

// For is how long others wait for a holder that died; a lease is renewed three times as often.
// Both are measured by the machine's clock, as the store measures.
const For = 30 * time.Second

// ErrLost ends the work of a holder that could not say in time that it is alive.
var ErrLost = errors.New("another process may have taken over")

// Lease is one that is held.
type Lease struct {
	store  store.Leases
	name   string
	holder string
	logger *slog.Logger
	ctx    context.Context //nolint:containedctx // it is what the lease gives
	cancel context.CancelCauseFunc

	renewing sync.Mutex
	// taken is when the lease was last taken or renewed.
	taken time.Time
	ended chan struct{} // closed once nobody renews any more
}

// Take takes the named lease and renews it until it is ended. Where another process has it,
// it returns event.ErrBusy.
func Take(parent context.Context, leases store.Leases, name string, logger *slog.Logger) (*Lease, error) {
	l := &Lease{
		store: leases, name: name, holder: rand.Text(), logger: logger, taken: time.Now(), ended: make(chan struct{}),
	}
	if err := leases.Lease(parent, name, l.holder, For); err != nil {
		return nil, err
	}
	l.ctx, l.cancel = context.WithCancelCause(parent)
	go l.keep()
	return l, nil
}

// Context is that of the work: it ends with the parent, and with ErrLost as its cause where
// the lease is lost.
func (l *Lease) Context() context.Context { return l.ctx }

// keep renews the lease until its context ends.
func (l *Lease) keep() {
	defer close(l.ended)
	ticker := time.NewTicker(For / 3)
	defer ticker.Stop()
	for {
		select {
		case <-l.ctx.Done():
			return
		case <-ticker.C:
			_ = l.Renew() // while the lease lasts there is another try
		}
	}
}

// Renew takes the lease anew, for who is about to do what nobody else may do at the same time.
// Where it is lost, that ends the context. It is lost, too, where it was not renewed in time
// though nobody has it now: another holder may have come and gone.
func (l *Lease) Renew() error {
	l.renewing.Lock()
	defer l.renewing.Unlock()
	begun := time.Now()
	trying, stop := context.WithDeadline(l.ctx, l.taken.Add(For))
	defer stop()
	err := trying.Err()
	if err == nil {
		err = l.store.Lease(trying, l.name, l.holder, For)
	}
	switch {
	case err == nil:
		l.taken = begun
	case errors.Is(err, event.ErrBusy) || time.Since(l.taken) >= For:
		err = fmt.Errorf("%w: %w: %w", ErrLost, event.ErrUnavailable, err)
		l.cancel(err)
	}
	return err
}

// End gives the lease back.
func (l *Lease) End() {
	l.cancel(nil)
	<-l.ended
	ending, stop := context.WithTimeout(context.WithoutCancel(l.ctx), For)
	defer stop()
	if err := l.store.EndLease(ending, l.name, l.holder); err != nil {
		l.logger.WarnContext(ending, "who wants the lease next has to wait", "lease", l.name, "for", For, "error", err)
	}
}
