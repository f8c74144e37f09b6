package breaker_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/store/breaker"
)

// patience is that of a circuit.
const patience = 8 * time.Second

// circuit is a Breaker in front of a server that answers with an error, or nil.
type circuit struct {
	*testing.T
	*breaker.Breaker
	// asked is how many calls reached the server.
	asked int
}

func newCircuit(t *testing.T) *circuit {
	return &circuit{T: t, Breaker: breaker.New("scylla", patience, slog.New(slog.DiscardHandler))}
}

// call asks a server that answers so, and wants its answer back as it is.
func (c *circuit) call(answer error) {
	c.Helper()
	before := c.asked
	err := c.Do(c.Context(), func(context.Context) error { c.asked++; return answer })
	if c.asked != before+1 || err != answer { //nolint:errorlint // not even wrapped
		c.Errorf("asked the server %d times and got %v, want its %v", c.asked-before, err, answer)
	}
}

// refuses wants a call to fail at once.
func (c *circuit) refuses() {
	c.Helper()
	err := c.Do(c.Context(), func(context.Context) error { c.Error("an open circuit let a call through"); return nil })
	if !errors.Is(err, event.ErrUnavailable) {
		c.Errorf("an open circuit says %v", err)
	}
}

func (c *circuit) fail(times int) {
	c.Helper()
	for range times {
		c.call(fmt.Errorf("connection refused: %w", event.ErrUnavailable))
	}
}

// rest is longer than a circuit stays open.
func rest() { time.Sleep(time.Minute) }

func TestFiveFailuresInARowOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCircuit(t)
		c.fail(4)
		c.call(nil)
		c.fail(5)
		for range 10 {
			c.refuses()
		}
	})
}

// TestWhatDoesNotCount: a server that refuses is there.
func TestWhatDoesNotCount(t *testing.T) {
	for _, answer := range []error{nil, context.Canceled, event.ErrNotFound, event.ErrExhausted, event.ErrCorrupt, event.ErrBusy, errors.New("no such table")} {
		t.Run(fmt.Sprint(answer), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCircuit(t)
				for range 20 {
					c.call(answer)
				}
				c.fail(5)
				c.refuses()
			})
		})
	}
}

// TestACancelledCallIsNoSuccess either: it does not hide failures around it.
func TestACancelledCallIsNoSuccess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCircuit(t)
		c.fail(4)
		c.call(context.Canceled)
		c.fail(1)
		c.refuses()
	})
}

func TestOneIsLetThroughToSee(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCircuit(t)
		c.fail(5)
		rest()
		c.fail(1)
		c.refuses()

		rest()
		err := c.Do(t.Context(), func(context.Context) error {
			c.refuses() // while that one is on its way
			return nil
		})
		if err != nil {
			t.Error(err)
		}
		// A success closes it: five in a row are needed again.
		c.fail(4)
		c.call(nil)
		c.fail(5)
		c.refuses()
	})
}

// TestACancelledTrialTellsNothing: the next one is let through instead of it.
func TestACancelledTrialTellsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCircuit(t)
		c.fail(5)
		rest()
		c.call(context.Canceled)
		c.call(nil)
		c.fail(4)
		c.call(nil)
	})
}

// silence asks a server that does not answer.
func (c *circuit) silence(ctx context.Context) error {
	return c.Do(ctx, func(ctx context.Context) error {
		c.asked++
		<-ctx.Done()
		return fmt.Errorf("query: %w", ctx.Err())
	})
}

func TestASilentServerIsUnavailable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCircuit(t)
		for range 5 {
			began := time.Now()
			err := c.silence(t.Context())
			if !errors.Is(err, event.ErrUnavailable) || time.Since(began) != patience {
				t.Errorf("%v after %v", err, time.Since(began))
			}
		}
		c.refuses()
	})
}

// TestACallerInAHurry is left half of its time to go on without the server.
func TestACallerInAHurry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCircuit(t)
		for range 5 {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			began := time.Now()
			err := c.silence(ctx)
			if !errors.Is(err, event.ErrUnavailable) || ctx.Err() != nil || time.Since(began) != time.Second/2 {
				t.Errorf("%v after %v, and the caller's context: %v", err, time.Since(began), ctx.Err())
			}
			cancel()
		}
		c.refuses()
	})
}

// TestTooLittleTimeToTell: who gives a server next to no time learns nothing of it, and nor
// do the others.
func TestTooLittleTimeToTell(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCircuit(t)
		for range 20 {
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
			if err := c.silence(ctx); !errors.Is(err, event.ErrUnavailable) {
				t.Error(err)
			}
			cancel()
		}
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		for range 20 {
			if err := c.silence(gone); !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
		}
		if c.asked != 40 {
			t.Errorf("%d of 40 calls reached the server", c.asked)
		}
		c.call(nil)
	})
}
