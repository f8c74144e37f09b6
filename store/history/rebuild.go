package history

import (
	"context"

	"golang.org/x/sync/errgroup"

	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/model/feature"
	"github.com/attune-shop/attune/store"
)

// rebuildsAtOnce bounds the visitors of one rebuild whose events are read beside each other.
const rebuildsAtOnce = 32

// rebuild makes the features of visitors again that have none stored: from their events,
// as far as those are projected, and from the rows of the log behind. So they hold every
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
		events, _, err := decodeRow(row)
		if err != nil {
			return err
		}
		for i := range events {
			if v := byVisitor[events[i].Visitor()]; v != nil {
				v.fold(&events[i])
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
			f.fold(&e)
		}
		return err
	})
	return f, err
}

// read returns the features of one visitor, as of every acknowledged event. Those that
// were lost are stored again, for the next reader.
func (s *shard) read(ctx context.Context, visitor event.Visitor) (features, error) {
	v := &view{visitor: visitor}
	if err := s.fill(ctx, []*view{v}); err != nil {
		return features{}, err
	}
	if v.stored.Value == nil && v.state.Events() > 0 {
		change := store.Change{Visitor: visitor, Old: v.stored, New: v.append(nil)}
		// Where another was faster, or the store fails now, the answer is right all the same.
		if _, err := s.history.stores.SwapFeatures(ctx, s.number, []store.Change{change}); err != nil {
			s.history.options.Logger.Warn("features made again are not stored", "shard", s.number, "error", err)
		}
	}
	return v.features, nil
}
