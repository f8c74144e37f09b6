package training

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
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

// lease takes the lease, or returns event.ErrBusy. The context that it returns ends where
// the lease is lost; end gives it back.
func (s *Service) lease(parent context.Context) (ctx context.Context, end func(), err error) {
	holder := rand.Text()
	taken := time.Now()
	if err := s.store.Lease(parent, leaseName, holder, leaseFor); err != nil {
		return nil, nil, fmt.Errorf("a training is %w", err)
	}
	ctx, cancel := context.WithCancelCause(parent)
	renewed := make(chan struct{})
	go func() {
		defer close(renewed)
		s.renew(ctx, cancel, holder, taken)
	}()
	return ctx, func() {
		cancel(nil)
		<-renewed
		ending, stop := context.WithTimeout(context.WithoutCancel(parent), leaseFor)
		defer stop()
		if err := s.store.EndLease(ending, leaseName, holder); err != nil {
			s.options.Logger.WarnContext(ending, "the next training has to wait", "for", leaseFor, "error", err)
		}
	}, nil
}

// renew keeps the lease until ctx ends, and cancels it where it cannot.
func (s *Service) renew(ctx context.Context, cancel context.CancelCauseFunc, holder string, taken time.Time) {
	ticker := time.NewTicker(leaseFor / 3)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		begun := time.Now()
		trying, stop := context.WithDeadline(ctx, taken.Add(leaseFor))
		err := s.store.Lease(trying, leaseName, holder, leaseFor)
		stop()
		switch {
		case err == nil:
			taken = begun
		case errors.Is(err, event.ErrBusy) || time.Since(taken) >= leaseFor:
			cancel(fmt.Errorf("%w: %w: %w", errLeaseLost, event.ErrUnavailable, err))
			return
		}
	}
}
