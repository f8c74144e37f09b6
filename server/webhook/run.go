package webhook

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"
	"golang.org/x/sync/errgroup"

	"github.com/attune-shop/attune/store"
	"github.com/attune-shop/attune/store/register"
)

const (
	// sendsAtOnce bounds the tries of a webhook that are under way at the same time, and with them the
	// bodies in memory.
	sendsAtOnce = 8
	// saveEvery is how often places are stored that no delivery waits for.
	saveEvery = 2 * time.Second
)

// run delivers one webhook, as it is defined at one time: each shard on its own, so that a shard
// waits for the delivery before only.
type run struct {
	*deliverer
	hook   *hook
	ledger *ledger
	room   chan struct{} // holds who sends
	// failing is held while the failed deliveries change.
	failing sync.Mutex

	cancel context.CancelFunc
	done   chan struct{} // closed at the end, when err is set
	err    error
}

// start begins to deliver a webhook, until end or until another process delivers.
func (d *deliverer) start(ctx context.Context, h *hook) *run {
	ctx, cancel := context.WithCancel(ctx)
	r := &run{deliverer: d, hook: h, room: make(chan struct{}, sendsAtOnce), cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(r.done)
		if r.err = r.work(ctx); r.err != nil && ctx.Err() == nil {
			d.options.Logger.Warn("a webhook is started again", "webhook", h.ID, "error", r.err)
		}
	}()
	return r
}

// end ends the run and returns what ended it before.
func (r *run) end() error {
	r.cancel()
	<-r.done
	return r.err
}

// ended tells whether the run ended by itself.
func (r *run) ended() bool {
	select {
	case <-r.done:
		return true
	default:
		return false
	}
}

func (r *run) work(ctx context.Context) error {
	var err error
	if r.ledger, err = openLedger(ctx, r.options.Store, r.hook); err != nil {
		return err
	}
	group, working := errgroup.WithContext(ctx)
	for n := range r.hook.Start {
		group.Go(func() error { return r.shard(working, n) })
	}
	group.Go(func() error { return r.every(working, saveEvery, r.ledger.save) })
	group.Go(func() error { return r.every(working, retryEvery, r.retryFailed) })
	err = group.Wait()
	if ctx.Err() == nil || errors.Is(err, store.ErrTaken) {
		return err
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), retryEvery)
	defer cancel()
	return r.ledger.save(last)
}

// every calls do again and again. Only another process that delivers ends that before ctx does.
func (r *run) every(ctx context.Context, wait time.Duration, do func(context.Context) error) error {
	for sleep(ctx, wait) {
		if err := do(ctx); errors.Is(err, store.ErrTaken) {
			return err
		} else if err != nil && ctx.Err() == nil {
			r.options.Logger.Warn("a webhook's state cannot be stored or read", "webhook", r.hook.ID, "error", err)
		}
	}
	return nil
}

// sleep tells whether a time has passed before ctx ended.
func sleep(ctx context.Context, wait time.Duration) bool {
	if wait <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// shard delivers the changes of one shard, one delivery after the other.
func (r *run) shard(ctx context.Context, n int) error {
	waits := &backoff.ExponentialBackOff{
		InitialInterval: r.options.FirstWait, MaxInterval: r.options.MaxWait, Multiplier: 2, RandomizationFactor: 0.5,
	}
	waits.Reset()
	c := &collector{book: r.options.Book, reader: r.options.Reader, hook: r.hook}
	for r.heads.wait(ctx, n, r.ledger.shard(n).Done.Seq) == nil {
		wait, err := r.step(ctx, n, c, waits)
		switch {
		case errors.Is(err, store.ErrTaken):
			return err
		case err != nil && ctx.Err() == nil:
			r.options.Logger.Warn("a webhook's changes cannot be read", "webhook", r.hook.ID, "shard", n, "error", err)
			wait = retryEvery
		}
		if !sleep(ctx, wait) {
			return nil
		}
	}
	return nil
}

// step tries the next delivery of a shard once, and returns how long to wait before the next step.
func (r *run) step(ctx context.Context, n int, c *collector, waits *backoff.ExponentialBackOff) (time.Duration, error) {
	select {
	case r.room <- struct{}{}:
		defer func() { <-r.room }()
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	at := r.ledger.shard(n)
	until := at.To
	if at.Revision != r.hook.Revision {
		until = nil // what was begun is made again by the new list
	}
	changes, to, err := c.collect(ctx, n, at.Done, until)
	if errors.Is(err, errGap) || err == nil && to == at.Done {
		return r.skipMissed(ctx, n, at)
	}
	if err != nil {
		return 0, err
	}
	if len(changes) == 0 {
		r.advance(n, to, nil)
		return 0, nil
	}
	if until == nil {
		r.ledger.change(func(p *progress) {
			p.Shards[n] = shardProgress{Done: at.Done, To: &to, Revision: r.hook.Revision}
		})
	}
	// Also where it was noted before: the write may have failed.
	if err := r.ledger.save(ctx); err != nil {
		return 0, err
	}
	one := delivery{ID: deliveryID(r.hook, n, at.Done, to), WebhookID: r.hook.ID, Changes: changes}
	body, err := one.body()
	if err != nil {
		return 0, err
	}
	got := r.sender.send(ctx, r.hook, one.ID, body)
	switch {
	case ctx.Err() != nil:
		return 0, ctx.Err()
	case got.err == nil:
		waits.Reset()
		r.advance(n, to, func(p *progress) { r.delivered(p, len(changes)) })
		return 0, nil
	}
	return r.failed(ctx, n, to, &one, body, got, waits)
}

// advance notes that everything up to a place is done.
func (r *run) advance(n int, to place, more func(*progress)) {
	r.ledger.change(func(p *progress) {
		p.Shards[n] = shardProgress{Done: to}
		if more != nil {
			more(p)
		}
	})
}

// delivered notes that so many changes were taken.
func (r *run) delivered(p *progress, changes int) {
	p.Delivered += int64(changes)
	p.LastDelivered, p.Failures = r.options.Now(), 0
}

// failed notes a failed try, and what follows from it.
func (r *run) failed(ctx context.Context, n int, to place, one *delivery, body []byte, got answer, waits *backoff.ExponentialBackOff) (time.Duration, error) {
	now := r.options.Now()
	r.ledger.change(func(p *progress) {
		s := &p.Shards[n]
		if s.Tries++; s.Since.IsZero() {
			s.Since = now
		}
		p.Failures++
		p.LastError, p.LastFailed = got.err.Error(), now
	})
	if err := r.ledger.save(ctx); err != nil {
		return 0, err
	}
	at := r.ledger.shard(n)
	poison := got.status == http.StatusBadRequest || got.status == http.StatusUnprocessableEntity || got.status == http.StatusRequestEntityTooLarge
	switch {
	case got.status == http.StatusGone:
		return retryEvery, r.pause(ctx)
	case poison && at.Tries >= r.options.PoisonTries, now.Sub(at.Since) >= r.options.GiveUpAfter:
		r.failing.Lock()
		defer r.failing.Unlock()
		given := failure{ID: one.ID, FailedAt: now, Tries: at.Tries, Changes: len(one.Changes)}
		given.because(got.err)
		if err := keepFailure(ctx, r.options.Store, r.hook.Number, given, body); err != nil {
			return 0, err
		}
		r.options.Logger.Warn("a webhook's delivery is given up", "webhook", r.hook.ID, "delivery", one.ID, "error", got.err)
		waits.Reset()
		r.advance(n, to, nil)
		return 0, r.ledger.save(ctx)
	}
	return max(waits.NextBackOff(), got.retryAfter), nil
}

// skipMissed goes on after rows that are not kept any more.
func (r *run) skipMissed(ctx context.Context, n int, at shardProgress) (time.Duration, error) {
	first, _, err := r.options.Reader.Kept(ctx, n)
	if err != nil || first <= at.Done.Seq+1 {
		return retryEvery, err
	}
	missed := int64(first - at.Done.Seq - 1)
	r.options.Logger.Warn("changes were deleted before a webhook had them", "webhook", r.hook.ID, "rows", missed)
	r.advance(n, place{Seq: first - 1}, func(p *progress) { p.Missed += missed })
	return 0, r.ledger.save(ctx)
}

// pause pauses the webhook because its receiver is gone, unless it was changed meanwhile.
func (r *run) pause(ctx context.Context) error {
	_, _, err := register.Change(ctx, r.options.Store, hooksRegister, func(h *hooks) error {
		at, err := h.find(r.hook.ID)
		if err != nil || h.Hooks[at].Number != r.hook.Number || h.Hooks[at].Changes != r.hook.Changes {
			return nil
		}
		one := &h.Hooks[at]
		one.Paused, one.PausedReason = true, "the receiver answered 410 Gone"
		one.Changes++
		return nil
	})
	r.wake()
	return err
}
