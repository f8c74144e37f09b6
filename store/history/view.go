package history

import (
	"context"
	"encoding/binary"
	"fmt"

	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/model/feature"
	"github.com/attune-shop/attune/store"
)

// view is a visitor's features as they are stored. The stored value is the number of the
// last log row that is folded in, as an unsigned varint, and the State's binary form.
type view struct {
	visitor event.Visitor
	value   []byte // as stored; nil where nothing is
	through store.Seq
	state   *feature.State

	// incoming counts the new events of the group at hand.
	incoming int64
	// changed says that state is ahead of value.
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

func appendValue(dst []byte, through store.Seq, state *feature.State) []byte {
	return state.Append(binary.AppendUvarint(dst, uint64(through)))
}

func decodeValue(value []byte) (store.Seq, *feature.State, error) {
	through, n := binary.Uvarint(value)
	if n <= 0 {
		return 0, nil, fmt.Errorf("features: sequence number: %w", event.ErrCorrupt)
	}
	state, err := feature.Decode(value[n:])
	return store.Seq(through), state, err
}

// load gives each event of a group its visitor's view.
func (s *shard) load(ctx context.Context, group []*submission) error {
	var loading views
	for _, sub := range group {
		for i := range sub.events {
			sub.events[i].view = loading.of(sub.events[i].visitor)
		}
	}
	return s.fill(ctx, loading.list)
}

// fill reads the features of the views' visitors.
func (s *shard) fill(ctx context.Context, views []*view) error {
	visitors := make([]event.Visitor, len(views))
	for i, v := range views {
		visitors[i] = v.visitor
	}
	values, err := s.history.stores.GetFeatures(ctx, s.number, visitors)
	if err != nil {
		return err
	}
	for i, v := range views {
		v.value, v.changed = values[i], false
		if v.value != nil {
			v.through, v.state, err = decodeValue(v.value)
		} else {
			v.through = store.Seq(s.projected.Load())
			v.state, err = s.history.missing(ctx, s.number, v.visitor, v.through)
		}
		if err != nil {
			return fmt.Errorf("features of a visitor in shard %d: %w", s.number, err)
		}
	}
	return nil
}

// missing returns the features of a visitor that has none stored: a new one's, or, where
// the store may have lost them, made again from the events.
func (h *History) missing(ctx context.Context, shard int, v event.Visitor, through store.Seq) (*feature.State, error) {
	if !h.stores.LosesFeatures() {
		return new(feature.State), nil
	}
	return h.rebuild(ctx, shard, v, through)
}

// rebuild folds all of a visitor's events up to a row of the log.
func (h *History) rebuild(ctx context.Context, shard int, v event.Visitor, through store.Seq) (*feature.State, error) {
	state := new(feature.State)
	err := h.stores.ReadEvents(ctx, shard, v, func(r store.Record) error {
		if r.Seq > through {
			return nil
		}
		e, err := event.Decode(r.Data)
		if err == nil {
			state.Fold(&e)
		}
		return err
	})
	return state, err
}
