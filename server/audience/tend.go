package audience

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/store/membership"
	"github.com/attune-shop/attune/store/repeat"
)

const (
	// lastsFor is how long what was learned is good for, and the wait after there was too little.
	lastsFor = 24 * time.Hour
	// retryAfter is the wait after another error.
	retryAfter = 10 * time.Minute
	// lookEvery is the time between two looks whether something has become too old.
	lookEvery = time.Minute
	// followEvery is the time between two looks for what other processes learned.
	followEvery = time.Second
)

// follow calls look again and again until ctx ends.
func follow(ctx context.Context, logger *slog.Logger, look func(context.Context) error) {
	repeat.Look(ctx, followEvery, look, func(err error) {
		logger.WarnContext(ctx, "what others learned cannot be seen", "error", err)
	})
}

// task is something that segments read and that is to be learned, where that is due.
type task struct {
	// name is the same for as long as another try would come to the same.
	name string
	try  func(context.Context) error
}

// tend tries what segments read until ctx ends: at once when the first one reads it, and then again and
// again, but for a while after it failed.
func tend(ctx context.Context, book *membership.Book, now func() time.Time, logger *slog.Logger, wanted func(*membership.Edition) []task) {
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	next := map[string]time.Time{} // no try before, by name
	for {
		changed := book.Changed()
		before := next
		next = map[string]time.Time{} // the first segment to read something is not to wait
		for _, t := range wanted(book.Current()) {
			next[t.name] = before[t.name]
			if started := now(); !started.Before(before[t.name]) {
				next[t.name] = started.Add(pause(ctx, t.name, t.try(ctx), logger))
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-changed:
		case <-ticker.C:
		}
	}
}

// pause returns for how long there is to be no other try after one that came to err.
func pause(ctx context.Context, what string, err error, logger *slog.Logger) time.Duration {
	switch {
	case err == nil || errors.Is(err, event.ErrBusy) || ctx.Err() != nil:
		return 0
	case tooLittle(err):
		logger.InfoContext(ctx, "cannot be learned yet", "what", what, "error", err)
		return lastsFor
	default:
		logger.ErrorContext(ctx, "was not learned; will be tried again", "what", what, "after", retryAfter, "error", err)
		return retryAfter
	}
}
