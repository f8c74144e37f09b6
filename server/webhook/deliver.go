package webhook

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/store"
	"github.com/attune-shop/attune/store/lease"
	"github.com/attune-shop/attune/store/membership"
	"github.com/attune-shop/attune/store/register"
)

const (
	// leaseName is that of the lease of the process that delivers.
	leaseName = "webhooks"
	// retryEvery is the wait after an error of a store, between two looks whether the lease is free,
	// and between two for what other processes changed.
	retryEvery = time.Second
)

// Store is what webhooks keep.
type Store interface {
	store.Registers
	store.Leases
}

// Options are what deliveries are made of. Durations have the defaults that their comments name.
type Options struct {
	Store  Store
	Book   *membership.Book
	Reader *membership.Reader
	// AllowPrivate lets webhooks reach loopback and private addresses, the first without TLS.
	AllowPrivate bool
	// Now is the machine's clock: receivers compare it with theirs.
	Now    func() time.Time
	Logger *slog.Logger
	// Timeout bounds one try; 10 s.
	Timeout time.Duration
	// FirstWait is about the time between the first try and the second; it doubles with each, up to
	// about MaxWait; 1 s and 5 minutes.
	FirstWait, MaxWait time.Duration
	// GiveUpAfter is how long a delivery is tried; 24 h.
	GiveUpAfter time.Duration
	// PoisonTries is how often one is tried that the receiver calls bad; 4.
	PoisonTries int64
}

// complete sets what is 0 to its default.
func (o *Options) complete() {
	for _, d := range []struct {
		value *time.Duration
		usual time.Duration
	}{{&o.Timeout, 10 * time.Second}, {&o.FirstWait, time.Second}, {&o.MaxWait, 5 * time.Minute}, {&o.GiveUpAfter, 24 * time.Hour}} {
		if *d.value == 0 {
			*d.value = d.usual
		}
	}
	if o.PoisonTries == 0 {
		o.PoisonTries = 4
	}
}

// deliverer delivers while it runs and no other process does.
type deliverer struct {
	options Options
	sender  *sender
	heads   *heads
	// woken is signalled when this process changed a webhook.
	woken chan struct{}
}

// wake has changes of webhooks seen at once.
func (d *deliverer) wake() {
	select {
	case d.woken <- struct{}{}:
	default:
	}
}

// work delivers whenever the lease is to be had, until ctx ends.
func (d *deliverer) work(ctx context.Context) {
	for {
		held, err := lease.Take(ctx, d.options.Store, leaseName, d.options.Logger)
		if err == nil {
			err = d.deliver(held.Context())
			held.End()
		}
		if ctx.Err() == nil && err != nil && !errors.Is(err, event.ErrBusy) {
			d.options.Logger.Error("webhooks are not delivered; will be tried again", "error", err)
		}
		if !sleep(ctx, retryEvery) {
			return
		}
	}
}

// deliver runs every webhook as its definition is now, until ctx ends or another process delivers.
func (d *deliverer) deliver(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	runs := map[uint32]*run{}
	var polling sync.WaitGroup
	polling.Go(func() { d.heads.follow(ctx, d.options.Logger) })
	defer func() {
		stop()
		for _, r := range runs {
			_ = r.end() // was told when it happened
		}
		polling.Wait()
	}()
	ticker := time.NewTicker(retryEvery)
	defer ticker.Stop()
	for {
		if err := d.reconcile(ctx, runs); errors.Is(err, store.ErrTaken) {
			return err
		} else if err != nil && ctx.Err() == nil {
			d.options.Logger.Warn("changes of webhooks cannot be seen", "error", err)
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-d.woken:
		case <-ticker.C:
		}
	}
}

// reconcile ends what runs by an older definition, and starts what should run.
func (d *deliverer) reconcile(ctx context.Context, runs map[uint32]*run) error {
	all, _, err := register.Read[hooks](ctx, d.options.Store, hooksRegister)
	if err != nil {
		return err
	}
	wanted := map[uint32]*hook{}
	for i := range all.Hooks {
		if h := &all.Hooks[i]; !h.Paused {
			wanted[h.Number] = h
		}
	}
	for number, r := range runs {
		h, still := wanted[number]
		if ended := r.ended(); still && !ended && h.Changes == r.hook.Changes {
			delete(wanted, number)
			continue
		}
		delete(runs, number)
		if err := r.end(); errors.Is(err, store.ErrTaken) {
			return err
		}
	}
	for number, h := range wanted {
		runs[number] = d.start(ctx, h)
	}
	d.heads.wanted.Store(len(runs) > 0)
	if len(all.Dropped) == 0 {
		return nil
	}
	for _, number := range all.Dropped {
		if err := dropHook(ctx, d.options.Store, number); err != nil {
			return err
		}
	}
	_, _, err = register.Change(ctx, d.options.Store, hooksRegister, func(h *hooks) error {
		h.Dropped = slices.DeleteFunc(h.Dropped, func(n uint32) bool { return slices.Contains(all.Dropped, n) })
		return nil
	})
	return err
}
