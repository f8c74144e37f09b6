package training

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/attune-shop/attune/model/event"
)

const (
	// leaseName is that of the lease that a training holds, among all servers.
	leaseName = "training"
	// leaseFor is how long another training waits for one whose server died; it is renewed
	// three times as often. Both are measured by the machine's clock, as the store measures.
	leaseFor = 30 * time.Second
)

// errLeaseLost ends a training whose server could not say in time that it is alive.
var errLeaseLost = errors.New("another training may have begun")

// lease is that of one training.
type lease struct {
	service *Service
	holder  string
	// ctx is the training's; it ends where the lease is lost.
	ctx    context.Context //nolint:containedctx // it is what the lease gives
	cancel context.CancelCauseFunc

	renewing sync.Mutex
	// taken is when the lease was last taken or renewed.
	taken time.Time
	ended chan struct{} // closed once nobody renews any more
}

// lease takes the lease, or returns event.ErrBusy, and renews it until it is ended.
func (s *Service) lease(parent context.Context) (*lease, error) {
	l := &lease{service: s, holder: rand.Text(), taken: time.Now(), ended: make(chan struct{})}
	if err := s.store.Lease(parent, leaseName, l.holder, leaseFor); err != nil {
		return nil, fmt.Errorf("a training is %w", err)
	}
	l.ctx, l.cancel = context.WithCancelCause(parent)
	go l.keep()
	return l, nil
}

// keep renews the lease until its context ends.
func (l *lease) keep() {
	defer close(l.ended)
	ticker := time.NewTicker(leaseFor / 3)
	defer ticker.Stop()
	for {
		select {
		case <-l.ctx.Done():
			return
		case <-ticker.C:
			_ = l.renew() // while the lease lasts there is another try
		}
	}
}

// renew takes the lease anew. Where it is lost, that ends the context. It is lost, too, where
// it was not renewed in time though nobody has it now: another training may have come and gone.
func (l *lease) renew() error {
	l.renewing.Lock()
	defer l.renewing.Unlock()
	begun := time.Now()
	trying, stop := context.WithDeadline(l.ctx, l.taken.Add(leaseFor))
	defer stop()
	err := trying.Err()
	if err == nil {
		err = l.service.store.Lease(trying, leaseName, l.holder, leaseFor)
	}
	switch {
	case err == nil:
		l.taken = begun
	case errors.Is(err, event.ErrBusy) || time.Since(l.taken) >= leaseFor:
		err = fmt.Errorf("%w: %w: %w", errLeaseLost, event.ErrUnavailable, err)
		l.cancel(err)
	}
	return err
}

// end gives the lease back.
func (l *lease) end() {
	l.cancel(nil)
	<-l.ended
	ending, stop := context.WithTimeout(context.WithoutCancel(l.ctx), leaseFor)
	defer stop()
	if err := l.service.store.EndLease(ending, leaseName, l.holder); err != nil {
		l.service.options.Logger.WarnContext(ending, "the next training has to wait", "for", leaseFor, "error", err)
	}
}
