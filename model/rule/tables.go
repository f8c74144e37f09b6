package rule

import (
	"maps"
	"slices"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"

	"github.com/attune-shop/attune/model/event"
)

// values is a map as a Table.
type values[V any] struct {
	of   map[string]V
	keys []string
}

// Find implements Table.
func (t *values[V]) Find(key string) (ref.Val, bool) {
	v, ok := t.of[key]
	if !ok {
		return nil, false
	}
	return types.DefaultTypeAdapter.NativeToValue(v), true
}

// Keys implements Table.
func (t *values[V]) Keys() []string {
	if len(t.keys) < len(t.of) {
		t.keys = slices.Sorted(maps.Keys(t.of))
	}
	return t.keys
}

// eventCounts is a user's number of events by type. An alias of a type counts as the type.
type eventCounts User

// Find implements Table.
func (c *eventCounts) Find(key string) (ref.Val, bool) {
	u := (*User)(c)
	n, first, _ := u.Known().Count(event.Canonical(key))
	if n == 0 {
		return nil, false
	}
	u.holdSince(first)
	return types.Int(n), true
}

// Keys implements Table.
func (c *eventCounts) Keys() []string {
	u := (*User)(c)
	list := u.summed().Types
	keys := make([]string, len(list))
	for i := range list {
		keys[i] = string(list[i].Type)
		u.holdSince(list[i].Last)
	}
	return keys
}
