package history

import (
	"context"
	"errors"
	"fmt"

	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/model/feature"
	"github.com/attune-shop/attune/store"
)

// view is a visitor's features on their way from what is stored to what is to be stored.
type view struct {
	visitor event.Visitor
	stored  store.Stored
	features

	// incoming counts the new events of the group at hand.
	incoming int64
	// changed says that state is ahead of what is stored, restored that it was made again.
	changed, restored bool
}

// views are those of several visitors. The zero value is none.
type views struct {
	byVisitor map[event.Visitor]*view
	list      []*view
}

// of returns the view of a visitor, an empty one the first time.
func (vs *views) of(visitor event.Visitor) *view {
	v := vs.byVisitor[visitor]
	if v == nil {
		v = &view{visitor: visitor}
		if vs.byVisitor == nil {
			vs.byVisitor = map[event.Visitor]*view{}
		}
		vs.byVisitor[visitor] = v
		vs.list = append(vs.list, v)
	}
	return v
}

// absent tells whether no event of that id is certainly in the features.
func (v *view) absent(id string) bool { return v.state.Presence(id) == feature.Absent }

// full tells whether the visitor has no room for one more event of the type.
func (v *view) full(t event.Type) bool {
	events, bytes := int64(MaxEvents), int64(MaxBytes)
	if t == event.Purchase || t == event.Refund {
		events, bytes = events+MaxOrders, bytes+MaxOrderBytes
	}
	return v.state.Events()+v.incoming >= events || v.bytes >= bytes
}

// load gives each event its visitor's view.
func (s *shard) load(ctx context.Context, pending []submitted) error {
	var loading views
	for i := range pending {
		pending[i].view = loading.of(pending[i].visitor)
	}
	return s.fill(ctx, loading.list)
}

// fill reads the features of the views' visitors. A visitor that has none stored is a new
// one, or one that the store lost, and is made again; so is one whose features are outdated.
func (s *shard) fill(ctx context.Context, views []*view) error {
	visitors := make([]event.Visitor, len(views))
	for i, v := range views {
		visitors[i] = v.visitor
	}
	found, err := s.getFeatures(ctx, visitors)
	if err != nil {
		return err
	}
	var lost []*view
	for i, v := range views {
		v.stored, v.changed, v.restored = found[i], false, false
		if v.stored.Value != nil {
			v.features, err = decodeFeatures(v.stored.Value)
		}
		switch {
		case v.stored.Value == nil && !s.history.stores.LosesFeatures():
			v.features = features{through: store.Seq(s.projected.Load()), state: new(feature.State)}
		case v.stored.Value == nil || errors.Is(err, event.ErrCorrupt) && s.history.stores.LosesFeatures() ||
			errors.Is(err, feature.ErrOutdated):
			v.restored = true
			lost = append(lost, v)
		case err != nil:
			return fmt.Errorf("features of a visitor in shard %d: %w", s.number, err)
		}
	}
	if len(lost) == 0 {
		return nil
	}
	if err := s.rebuild(ctx, lost); err != nil {
		return fmt.Errorf("features of shard %d made again: %w", s.number, err)
	}
	return nil
}

// readOrRestore returns the features of visitors of the shard, each once, as of every acknowledged
// event. Those that were lost are stored again, for the next reader.
func (s *shard) readOrRestore(ctx context.Context, visitors ...event.Visitor) ([]features, error) {
	views := make([]*view, len(visitors))
	for i, visitor := range visitors {
		views[i] = &view{visitor: visitor}
	}
	if err := s.fill(ctx, views); err != nil {
		return nil, err
	}
	found := make([]features, len(views))
	var restored []store.Change
	for i, v := range views {
		found[i] = v.features
		if v.restored && v.state.Events() > 0 {
			restored = append(restored, store.Change{Visitor: v.visitor, Old: v.stored, New: v.append(nil)})
		}
	}
	if len(restored) == 0 {
		return found, nil
	}
	// Where another was faster, or the store fails now, the answer is right all the same.
	if _, err := s.history.stores.SwapFeatures(ctx, s.number, restored); err != nil {
		s.history.warn.Do(func() {
			s.history.options.Logger.Warn("features made again are not stored; said once a minute", "shard", s.number, "error", err)
		})
	}
	return found, nil
}
