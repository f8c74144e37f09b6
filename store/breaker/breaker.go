// Package breaker spares a server that does not answer, and those who would wait for it.
package breaker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/sony/gobreaker/v2"

	"github.com/attune-shop/attune/model/event"
)

const (
	// failures is the number of failed calls in a row after which the next fail at once.
	failures = 5
	// pause is the time after which one call is let through again, to see.
	pause = 500 * time.Millisecond
	// enough is the time that a server must have had for its silence to mean something.
	enough = 50 * time.Millisecond
)

// Breaker bounds the time of calls, and is a circuit breaker: after several calls in a row
// found the server unavailable, it lets one through now and then, and the others fail at once.
type Breaker struct {
	circuit  *gobreaker.CircuitBreaker[struct{}]
	patience time.Duration
}

// New returns a closed Breaker, which logs when it opens and closes. name is the server's;
// patience bounds one call with all its tries.
func New(name string, patience time.Duration, logger *slog.Logger) *Breaker {
	return &Breaker{patience: patience, circuit: gobreaker.NewCircuitBreaker[struct{}](gobreaker.Settings{
		Name:        name,
		Timeout:     pause,
		ReadyToTrip: func(c gobreaker.Counts) bool { return c.ConsecutiveFailures >= failures },
		IsExcluded: func(err error) bool {
			return errors.Is(err, errHurried) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
		},
		IsSuccessful: func(err error) bool { return !errors.Is(err, event.ErrUnavailable) },
		OnStateChange: func(name string, from, to gobreaker.State) {
			logger.Warn("server availability changed", "server", name, "circuit", to.String(), "before", from.String())
		},
	})}
}

// errHurried is the outcome of a call that says nothing of the server, for want of time.
var errHurried = errors.New("too little time to tell")

// Do returns what call does within the Breaker's patience, and within half of the time that
// the caller has left, so that the caller can still go on without. It returns
// event.ErrUnavailable where that passes, or where the circuit is open. An error of call
// that wraps event.ErrUnavailable counts as the server's absence, and no other does.
func (b *Breaker) Do(ctx context.Context, call func(ctx context.Context) error) error {
	share := b.patience
	if deadline, ok := ctx.Deadline(); ok {
		share = min(share, time.Until(deadline)/2)
	}
	bounded, cancel := context.WithTimeout(ctx, share)
	defer cancel()
	var result error
	_, err := b.circuit.Execute(func() (struct{}, error) {
		result = call(bounded)
		if errors.Is(result, context.DeadlineExceeded) && ctx.Err() == nil {
			result = fmt.Errorf("%s: no answer in %v: %w", b.circuit.Name(), share.Round(time.Millisecond), event.ErrUnavailable)
		}
		if share < enough && errors.Is(result, event.ErrUnavailable) {
			return struct{}{}, errHurried
		}
		return struct{}{}, result
	})
	if errors.Is(err, gobreaker.ErrOpenState) || errors.Is(err, gobreaker.ErrTooManyRequests) {
		return fmt.Errorf("%s does not answer: %w", b.circuit.Name(), event.ErrUnavailable)
	}
	return result
}
