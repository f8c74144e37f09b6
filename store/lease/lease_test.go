package lease

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/attune-shop/attune/model/event"
)

// held is a store of one lease, which another may take.
type held struct {
	sync.Mutex
	holder string
}

func (h *held) Lease(_ context.Context, _, holder string, _ time.Duration) error {
	h.Lock()
	defer h.Unlock()
	if h.holder != "" && h.holder != holder {
		return event.ErrBusy
	}
	h.holder = holder
	return nil
}

func (h *held) EndLease(_ context.Context, _, holder string) error {
	h.Lock()
	defer h.Unlock()
	if h.holder == holder {
		h.holder = ""
	}
	return nil
}

func TestOneHoldsALeaseAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &held{}
		first, err := Take(t.Context(), h, "work", slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Take(t.Context(), h, "work", slog.New(slog.DiscardHandler)); !errors.Is(err, event.ErrBusy) {
			t.Errorf("a second holder: %v", err)
		}
		time.Sleep(3 * For)
		if err := first.Context().Err(); err != nil {
			t.Errorf("a lease that is renewed ended: %v", err)
		}
		first.End()
		second, err := Take(t.Context(), h, "work", slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatalf("after its end: %v", err)
		}
		h.Lock()
		h.holder = "another"
		h.Unlock()
		time.Sleep(For)
		if !errors.Is(context.Cause(second.Context()), ErrLost) {
			t.Errorf("after another took it: %v", context.Cause(second.Context()))
		}
		second.End()
	})
}

// TestALeaseThatRanOutIsLost: though nobody has it any more, somebody may have had it.
func TestALeaseThatRanOutIsLost(t *testing.T) {
	l, err := Take(t.Context(), &held{}, "work", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer l.End()
	if err := l.Renew(); err != nil {
		t.Errorf("in time: %v", err)
	}
	l.renewing.Lock()
	l.taken = l.taken.Add(-For)
	l.renewing.Unlock()
	if err := l.Renew(); !errors.Is(err, ErrLost) || !errors.Is(context.Cause(l.ctx), ErrLost) {
		t.Errorf("too late: %v, %v", err, context.Cause(l.ctx))
	}
}
