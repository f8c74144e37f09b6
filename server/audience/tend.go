package audience

import (
	"context"
	"errors"
	"time"

	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/model/propensity"
	"github.com/attune-shop/attune/store/membership"
)

const (
	// lastsFor is how long a model is good for, and the wait after a history was too little.
	lastsFor = 24 * time.Hour
	// retryAfter is the wait after another error.
	retryAfter = 10 * time.Minute
	// lookEvery is the time between two looks whether a model has become too old.
	lookEvery = time.Minute
	// followEvery is the time between two looks for what other processes learned.
	followEvery = time.Second
)

// Follow looks for what other processes learned until ctx ends, for as long as others share the store.
func (b *Buyers) Follow(ctx context.Context) {
	ticker := time.NewTicker(followEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if err := b.kept.refresh(ctx); err != nil && ctx.Err() == nil {
			b.options.Logger.WarnContext(ctx, "what others learned of likely buyers cannot be seen", "error", err)
		}
	}
}

// Tend learns a model whenever a segment reads one and there is none, or an old one, until ctx ends:
// at once for the first such segment, and then once a day.
func (b *Buyers) Tend(ctx context.Context, book *membership.Book) {
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	var next time.Time // no try before
	for {
		changed := book.Changed()
		switch now := b.options.Now(); {
		case !wanted(book.Current()):
			next = time.Time{} // the first segment that reads it is not to wait
		case b.due(b.Current()) && !now.Before(next):
			next = now.Add(b.try(ctx))
		}
		select {
		case <-ctx.Done():
			return
		case <-changed:
		case <-ticker.C:
		}
	}
}

// wanted tells whether a segment reads how likely a purchase is.
func wanted(e *membership.Edition) bool {
	for _, rule := range e.Rules {
		if rule != nil && rule.Reads().Likelihood {
			return true
		}
	}
	return false
}

func (b *Buyers) due(m *BuyersModel) bool {
	return m == nil || b.options.Now().Sub(m.LearnedAt) >= lastsFor
}

// try learns where that is due, and returns for how long there is to be no other try.
func (b *Buyers) try(ctx context.Context) time.Duration {
	switch _, err := b.learn(ctx, b.due); {
	case err == nil || errors.Is(err, event.ErrBusy) || ctx.Err() != nil:
		return 0
	case errors.Is(err, propensity.ErrTooLittle):
		b.options.Logger.InfoContext(ctx, "likely buyers cannot be learned yet", "error", err)
		return lastsFor
	default:
		b.options.Logger.ErrorContext(ctx, "likely buyers were not learned; will be tried again", "after", retryAfter, "error", err)
		return retryAfter
	}
}
