package rule

import (
	"fmt"
	"maps"
	"reflect"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
)

// provider gives CEL the types of messages, without reflection.
type provider struct {
	*types.Registry
	messages map[string]*Message
}

func newProvider(messages []*Message) (*provider, error) {
	registry, err := types.NewRegistry()
	if err != nil {
		return nil, err
	}
	p := &provider{Registry: registry, messages: map[string]*Message{}}
	for _, m := range messages {
		p.messages[m.name] = m
	}
	return p, nil
}

// FindStructType implements types.Provider.
func (p *provider) FindStructType(name string) (*types.Type, bool) {
	if m, ok := p.messages[name]; ok {
		return types.NewTypeTypeWithParam(m.typ), true
	}
	return p.Registry.FindStructType(name)
}

// FindStructFieldNames implements types.Provider.
func (p *provider) FindStructFieldNames(name string) ([]string, bool) {
	m, ok := p.messages[name]
	if !ok {
		return p.Registry.FindStructFieldNames(name)
	}
	names := make([]string, 0, len(m.fields))
	for n := range maps.Keys(m.fields) {
		names = append(names, n)
	}
	return names, true
}

// FindStructFieldType implements types.Provider.
func (p *provider) FindStructFieldType(name, fieldName string) (*types.FieldType, bool) {
	m, ok := p.messages[name]
	if !ok {
		return p.Registry.FindStructFieldType(name, fieldName)
	}
	f, ok := m.fields[fieldName]
	return f, ok
}

// NewValue implements types.Provider: rules read messages and cannot make them.
func (p *provider) NewValue(name string, fields map[string]ref.Val) ref.Val {
	if _, ok := p.messages[name]; ok {
		return types.NewErr("%s cannot be made in a rule", name)
	}
	return p.Registry.NewValue(name, fields)
}

// NativeToValue implements types.Adapter.
func (p *provider) NativeToValue(native any) ref.Val {
	if v, ok := native.(ref.Val); ok {
		return v
	}
	return p.Registry.NativeToValue(native)
}

// value is a message in an evaluation.
type value struct {
	of     *Message
	native any
}

// ConvertToNative implements ref.Val.
func (v *value) ConvertToNative(t reflect.Type) (any, error) {
	if reflect.TypeOf(v.native).AssignableTo(t) {
		return v.native, nil
	}
	return nil, fmt.Errorf("%s does not convert to %v", v.of.name, t)
}

// ConvertToType implements ref.Val.
func (v *value) ConvertToType(t ref.Type) ref.Val {
	switch t {
	case types.TypeType:
		return v.of.typ
	case v.Type():
		return v
	}
	return types.NewErr("%s does not convert to %s", v.of.name, t.TypeName())
}

// Equal implements ref.Val. It reads all fields as a rule would: the answer is as good as what was read.
func (v *value) Equal(other ref.Val) ref.Val {
	o, ok := other.(*value)
	if !ok || v.of != o.of {
		return types.False
	}
	equal := types.True
	for _, f := range v.of.fields {
		if f.IsSet(v.native) != f.IsSet(o.native) {
			equal = types.False
			continue
		}
		a, errA := f.GetFrom(v.native)
		b, errB := f.GetFrom(o.native)
		switch {
		case errA != nil || errB != nil: // neither is known
		case types.Equal(types.DefaultTypeAdapter.NativeToValue(a), types.DefaultTypeAdapter.NativeToValue(b)) != types.True:
			equal = types.False
		}
	}
	return equal
}

// Type implements ref.Val.
func (v *value) Type() ref.Type { return v.of.typ }

// Value implements ref.Val.
func (v *value) Value() any { return v.native }

// Get implements traits.Indexer, for a message behind dyn().
func (v *value) Get(index ref.Val) ref.Val {
	f := v.fieldOf(index)
	if f == nil {
		return types.NewErr("no such key: %v", index)
	}
	native, err := f.GetFrom(v.native)
	if err != nil {
		return types.WrapErr(err)
	}
	return types.DefaultTypeAdapter.NativeToValue(native)
}

// IsSet implements traits.FieldTester, for a message behind dyn().
func (v *value) IsSet(name ref.Val) ref.Val {
	f := v.fieldOf(name)
	if f == nil {
		return types.NewErr("no such key: %v", name)
	}
	return types.Bool(f.IsSet(v.native))
}

func (v *value) fieldOf(name ref.Val) *types.FieldType {
	s, ok := name.(types.String)
	if !ok {
		return nil
	}
	return v.of.fields[string(s)]
}
