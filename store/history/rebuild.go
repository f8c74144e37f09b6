package history

import (
	"context"

	"golang.org/x/sync/errgroup"

	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/model/feature"
	"github.com/attune-shop/attune/store"
)

// rebuildsAtOnce bounds the visitors of one rebuild whose events are read at the same time.
const rebuildsAtOnce = 32

// rebuild makes the features of visitors again that have none stored: from their events,
// as far as those are projected, and from the later rows of the log. So they hold every
// event that anybody acknowledged before the call, and say up to which row. The views'
// tokens, which are older than all that is read here, see to it that such features are
// stored only where nobody stored newer ones meanwhile.
func (s *shard) rebuild(ctx context.Context, views []*view) error {
	projected := store.Seq(s.projected.Load())
	reading, readCtx := errgroup.WithContext(ctx)
	reading.SetLimit(rebuildsAtOnce)
	byVisitor := make(map[event.Visitor]*view, len(views))
	for _, v := range views {
		byVisitor[v.visitor] = v
		reading.Go(func() (err error) {
			v.features, err = s.foldEvents(readCtx, v.visitor, projected)
			return err
		})
	}
	if err := reading.Wait(); err != nil {
		return err
	}
	last := projected
	err := s.history.stores.ReadLog(ctx, s.number, projected+1, func(seq store.Seq, row []byte) error {
		c, err := decodeRow(row)
		if err != nil {
			return err
		}
		s.noteFence(seq, c)
		for i := range c.events {
			if v := byVisitor[c.events[i].Visitor()]; v != nil {
				v.fold(&c.events[i], len(c.data[i]))
			}
		}
		last = seq
		return nil
	})
	for _, v := range views {
		v.through = last
	}
	return err
}

// foldEvents folds a visitor's events up to a row of the log.
func (s *shard) foldEvents(ctx context.Context, v event.Visitor, through store.Seq) (features, error) {
	f := features{through: through, state: new(feature.State)}
	err := s.history.stores.ReadEvents(ctx, s.number, v, func(r store.Record) error {
		if r.Seq > through {
			return nil
		}
		e, err := event.Decode(r.Data)
		if err == nil {
			f.fold(&e, len(r.Data))
		}
		return err
	})
	return f, err
}
