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
	value   []byte // as stored; nil where nothing is
	through store.Seq
	state   *feature.State

	// inGroup holds the event ids of the group at hand, incoming counts its new events.
	inGroup  map[string]struct{}
	incoming int64
}

type viewsByVisitor map[event.Visitor]*view

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

func encodeValue(through store.Seq, state *feature.State) []byte {
	return state.Append(binary.AppendUvarint(nil, uint64(through)))
}

func decodeValue(value []byte) (store.Seq, *feature.State, error) {
	through, n := binary.Uvarint(value)
	if n <= 0 {
		return 0, nil, fmt.Errorf("features: sequence number: %w", event.ErrCorrupt)
	}
	state, err := feature.Decode(value[n:])
	return store.Seq(through), state, err
}

// load returns the views of all visitors of a group.
func (s *shard) load(ctx context.Context, group []*submission) (viewsByVisitor, error) {
	views := viewsByVisitor{}
	var visitors []event.Visitor
	for _, sub := range group {
		for _, e := range sub.events {
			if _, known := views[e.visitor]; !known {
				views[e.visitor] = &view{inGroup: make(map[string]struct{}, 1)}
				visitors = append(visitors, e.visitor)
			}
		}
	}
	return views, s.fill(ctx, views, visitors)
}

// fill reads the features of visitors into their views. Features that are not there are
// never taken for a new visitor's: they are made again from the events, if there are any.
func (s *shard) fill(ctx context.Context, views viewsByVisitor, visitors []event.Visitor) error {
	values, err := s.history.stores.GetFeatures(ctx, s.number, visitors)
	if err != nil {
		return err
	}
	for i, visitor := range visitors {
		v := views[visitor]
		v.value = values[i]
		if v.value != nil {
			v.through, v.state, err = decodeValue(v.value)
		} else {
			v.through = store.Seq(s.projected.Load())
			v.state, err = s.history.rebuild(ctx, s.number, visitor, v.through)
		}
		if err != nil {
			return fmt.Errorf("features of a visitor in shard %d: %w", s.number, err)
		}
	}
	return nil
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
