package feature

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/cespare/xxhash/v2"

	"github.com/attune-shop/attune/model/event"
)

// trait is what the last event that spoke of one key of the visitor said of it. That may
// be that there is none any more: forgotten, an older event would bring it back.
type trait struct {
	hash  uint64 // of the key
	key   string
	at    int64
	print uint64
	kind  traitKind
	// number holds the bits of a number.
	number uint64
	text   string
}

// traitKind tells what a trait's value is.
type traitKind uint8

const (
	traitRemoved traitKind = iota
	traitFalse
	traitTrue
	traitNumber
	traitText
	traitKinds
)

// newTrait returns the trait that an event says of a key.
func newTrait(at int64, print uint64, key string, value any) trait {
	t := trait{hash: xxhash.Sum64String(key), key: key, at: at, print: print}
	switch value := value.(type) {
	case bool:
		t.kind = traitFalse
		if value {
			t.kind = traitTrue
		}
	case float64:
		t.kind, t.number = traitNumber, math.Float64bits(value)
	case string:
		t.kind, t.text = traitText, value
	}
	return t
}

// value returns text, a float64 or a bool; nil where the trait was removed.
func (t *trait) value() any {
	switch t.kind {
	case traitFalse, traitTrue:
		return t.kind == traitTrue
	case traitNumber:
		return math.Float64frombits(t.number)
	case traitText:
		return t.text
	}
	return nil
}

// compareTraits orders traits of several keys: by hash, then by key.
func compareTraits(a, b trait) int {
	if a.hash != b.hash {
		return cmp.Compare(a.hash, b.hash)
	}
	return strings.Compare(a.key, b.key)
}

// over tells which of two traits of one key stays: the later one, by the event's time and
// then by the fingerprint of its id. Of two visitors' events that are equal in both the
// greater value stays, whichever comes first.
func (t *trait) over(o *trait) bool {
	return cmp.Or(cmp.Compare(t.at, o.at), cmp.Compare(t.print, o.print), cmp.Compare(t.kind, o.kind),
		cmp.Compare(t.number, o.number), strings.Compare(t.text, o.text)) > 0
}

// set takes a trait in where it stays. A state keeps the MaxTraits least keys, by
// compareTraits, that it ever saw, removed ones too: one that is least of all now was so
// whenever an event spoke of it, so none of these events has gone by, whatever the order.
func (s *State) set(t trait) {
	i, found := slices.BinarySearchFunc(s.traits, t, compareTraits)
	if found {
		if t.over(&s.traits[i]) {
			s.traits[i] = t
		}
		return
	}
	if i == MaxTraits {
		return
	}
	if len(s.traits) == MaxTraits {
		s.traits = s.traits[:MaxTraits-1]
	}
	s.traits = slices.Insert(s.traits, i, t)
}

// Traits returns what the shop last said of the visitor, by key: text, a float64 or a bool.
// It is nil where there is nothing.
func (s *State) Traits() map[string]any {
	var all map[string]any
	for i := range s.traits {
		if value := s.traits[i].value(); value != nil {
			if all == nil {
				all = make(map[string]any, len(s.traits))
			}
			all[s.traits[i].key] = value
		}
	}
	return all
}

// FirstTrait returns when the oldest of Traits was said, the zero time where there are none.
func (s *State) FirstTrait() time.Time {
	var first time.Time
	for i := range s.traits {
		if at := fromMicros(s.traits[i].at); s.traits[i].kind != traitRemoved && (first.IsZero() || at.Before(first)) {
			first = at
		}
	}
	return first
}

// traitsSince returns the traits that events from start on said.
func (s *State) traitsSince(start int64) []trait {
	var later []trait
	for i := range s.traits {
		if s.traits[i].at >= start {
			later = append(later, s.traits[i])
		}
	}
	return later
}

// identified returns the first and last time of Identify events; false where there were none.
func (s *State) identified() (kind, bool) {
	number := event.Identify.Number()
	for i := range s.kinds {
		if s.kinds[i].slot >= number {
			return s.kinds[i], s.kinds[i].slot == number
		}
	}
	return kind{}, false
}
