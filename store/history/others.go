package history

import (
	"context"
	"errors"
	"time"

	"github.com/attune-shop/attune/store"
)

// others is the oldest row of another process that nobody has marked as projected, and
// since when it is known here.
type others struct {
	row   store.Seq
	since time.Time
}

// lookAtOthers does followMark, whose errors pass: the next look is a second later.
func (s *shard) lookAtOthers(ctx context.Context) {
	if err := s.followMark(ctx); err != nil && ctx.Err() == nil {
		s.history.warn.Do(func() {
			s.history.options.Logger.Warn("other processes' writes cannot be seen; said once a minute", "shard", s.number, "error", err)
		})
	}
}

// followMark moves projected to the mark, where another process has set it, and projects
// rows that stay unmarked, for their writer died and its client may never come again. How
// long they stay is measured by the machine's clock: it is no part of what is stored.
func (s *shard) followMark(ctx context.Context) error {
	stores, projected := s.history.stores, store.Seq(s.projected.Load())
	mark, err := stores.Mark(ctx, s.number)
	if err != nil {
		return err
	}
	if err := s.followFence(ctx); err != nil {
		return err
	}
	if mark > projected {
		s.projected.Store(uint64(mark))
		return nil
	}
	unseen := false
	err = stores.ReadLog(ctx, s.number, projected+1, func(store.Seq, []byte) error {
		unseen = true
		return errStop
	})
	if err != nil && !errors.Is(err, errStop) {
		return err
	}
	switch next := projected + 1; {
	case !unseen:
		s.others = others{}
	case s.others.row != next:
		s.others = others{row: next, since: time.Now()}
	case time.Since(s.others.since) >= s.history.options.AdoptAfter:
		s.history.options.Logger.Info("rows that nobody finished are projected", "shard", s.number, "from", next)
		return s.catchUp(ctx)
	}
	return nil
}
