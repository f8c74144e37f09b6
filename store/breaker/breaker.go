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
)

// Breaker is a circuit breaker: after several calls in a row found the server unavailable,
// it lets one through now and then, and the others fail at once.
type Breaker struct {
	circuit *gobreaker.CircuitBreaker[struct{}]
}

// New returns a closed Breaker, which logs when it opens and closes. name is the server's.
func New(name string, logger *slog.Logger) *Breaker {
	return &Breaker{circuit: gobreaker.NewCircuitBreaker[struct{}](gobreaker.Settings{
		Name:        name,
		Timeout:     pause,
		ReadyToTrip: func(c gobreaker.Counts) bool { return c.ConsecutiveFailures >= failures },
		IsExcluded:  func(err error) bool { return errors.Is(err, context.Canceled) },
		IsSuccessful: func(err error) bool {
			return !errors.Is(err, event.ErrUnavailable) && !errors.Is(err, context.DeadlineExceeded)
		},
		OnStateChange: func(name string, from, to gobreaker.State) {
			logger.Warn("server availability changed", "server", name, "circuit", to.String(), "before", from.String())
		},
	})}
}

// Do returns what call does, or event.ErrUnavailable where the circuit is open. call wraps
// event.ErrUnavailable into the errors that count as the server's absence.
func (b *Breaker) Do(call func() error) error {
	_, err := b.circuit.Execute(func() (struct{}, error) { return struct{}{}, call() })
	if errors.Is(err, gobreaker.ErrOpenState) || errors.Is(err, gobreaker.ErrTooManyRequests) {
		return fmt.Errorf("%s does not answer: %w", b.circuit.Name(), event.ErrUnavailable)
	}
	return err
}
