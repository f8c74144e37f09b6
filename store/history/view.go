package history

import (
	"context"
	"fmt"

	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/model/feature"
	"github.com/attune-shop/attune/store"
)

// view is a visitor's features as they are stored.
type view struct {
	visitor event.Visitor
	stored  store.Stored
	features

	// incoming
	// incoming counts the new events of the group at hand.
	incoming int64
	// changed says that state is ahead of what is stored.
	changed bool
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
	room := int64(MaxEvents)
	if t == event.Purchase || t == event.Refund {
		room += MaxOrders
	}
	return v.state.Events()+v.incoming >= room
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
// one, or one that the store lost, and is made again.
func (s *shard) fill(ctx context.Context, views []*view) error {
	visitors := make([]event.Visitor, len(views))
	for i, v := range views {
		visitors[i] = v.visitor
	}
	stored, err := s.history.stores.GetFeatures(ctx, s.number, visitors)
	if err != nil {
		return err
	}
	var lost []*view
	for i, v := range views {
		v.stored, v.changed = stored[i], false
		switch {
		case v.stored.Value != nil:
			if v.features, err = decodeFeatures(v.stored.Value); err != nil {
				return fmt.Errorf("features of a visitor in shard %d: %w", s.number, err)
			}
		case s.history.stores.LosesFeatures():
			lost = append(lost, v)
		default:
			v.features = features{through: store.Seq(s.projected.Load()), state: new(feature.State)}
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
