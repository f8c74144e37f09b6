package rule

import (
	"fmt"
	"reflect"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
)

// Table is a map from text that a rule reads key by key.
type Table interface {
	Find(key string) (ref.Val, bool)
	// Keys are all keys, in order.
	Keys() []string
}

// lookup is a Table as rules see it. Its type is that of a map, and yet it is no traits.Mapper: CEL
// asks a Mapper one question for m[k] and has(m.k), and here a key that is not there has a value (zero,
// where there is one) and is still not there.
type lookup struct {
	Table
	zero ref.Val // nil: reading a key that is not there is an error
}

// Get implements traits.Indexer.
func (l *lookup) Get(index ref.Val) ref.Val {
	key, ok := index.(types.String)
	if !ok {
		return types.NewErr("no such key: %v", index)
	}
	if v, found := l.Find(string(key)); found {
		return v
	}
	if l.zero == nil {
		return types.NewErr("no such key: %v", index)
	}
	return l.zero
}

// IsSet implements traits.FieldTester.
func (l *lookup) IsSet(index ref.Val) ref.Val { return l.Contains(index) }

// Contains implements traits.Container.
func (l *lookup) Contains(index ref.Val) ref.Val {
	key, ok := index.(types.String)
	if !ok {
		return types.False
	}
	_, found := l.Find(string(key))
	return types.Bool(found)
}

// Size implements traits.Sizer.
func (l *lookup) Size() ref.Val { return types.Int(len(l.Keys())) }

// Iterator implements traits.Iterable.
func (l *lookup) Iterator() traits.Iterator {
	return types.NewStringList(types.DefaultTypeAdapter, l.Keys()).Iterator()
}

// Equal implements ref.Val.
func (l *lookup) Equal(other ref.Val) ref.Val {
	container, ok := other.(interface {
		traits.Sizer
		traits.Indexer
		traits.Container
	})
	if !ok || other.Type().TypeName() != l.Type().TypeName() || container.Size() != l.Size() {
		return types.False
	}
	for _, key := range l.Keys() {
		k := types.String(key)
		if container.Contains(k) != types.True || types.Equal(l.Get(k), container.Get(k)) != types.True {
			return types.False
		}
	}
	return types.True
}

// Type implements ref.Val.
func (l *lookup) Type() ref.Type { return types.MapType }

// Value implements ref.Val.
func (l *lookup) Value() any { return l }

// ConvertToNative implements ref.Val.
func (l *lookup) ConvertToNative(t reflect.Type) (any, error) {
	return nil, fmt.Errorf("a map does not convert to %v", t)
}

// ConvertToType implements ref.Val.
func (l *lookup) ConvertToType(t ref.Type) ref.Val {
	switch t {
	case types.MapType:
		return l
	case types.TypeType:
		return types.MapType
	}
	return types.NewErr("a map does not convert to %s", t.TypeName())
}
