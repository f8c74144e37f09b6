package expr

import (
	"fmt"
	"reflect"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"

	"github.com/attune-shop/attune/model/event"
)

// newEnv returns CEL's standard environment with item and user, strictly typed by schema.
func newEnv() (*cel.Env, error) {
	registry, err := types.NewRegistry()
	if err != nil {
		return nil, err
	}
	m := &messages{Registry: registry}
	return cel.NewEnv(
		cel.CustomTypeAdapter(m),
		cel.CustomTypeProvider(m),
		cel.OptionalTypes(),
		cel.CrossTypeNumericComparisons(true),
		cel.DefaultUTCTimeZone(true),
		cel.ParserExpressionSizeLimit(MaxTextBytes),
		cel.ParserRecursionLimit(64),
		cel.ExpressionNodeLimit(4096),
		cel.RegexProgramSizeLimit(1000),
		cel.Variable("item", cel.ObjectType(itemType)),
		cel.Variable("user", cel.ObjectType(userType)),
	)
}

// variables is the activation of one evaluation.
type variables struct {
	item item
	user *User
}

// ResolveName implements cel.Activation.
func (v *variables) ResolveName(name string) (any, bool) {
	switch name {
	case "item":
		return &v.item, true
	case "user":
		return v.user, true
	}
	return nil, false
}

// Parent implements cel.Activation.
func (v *variables) Parent() cel.Activation { return nil }

// messages gives CEL the types of schema and wraps their values, without reflection.
type messages struct{ *types.Registry }

// FindStructType implements types.Provider.
func (m *messages) FindStructType(name string) (*types.Type, bool) {
	if _, ok := schema[name]; ok {
		return types.NewTypeTypeWithParam(types.NewObjectType(name)), true
	}
	return m.Registry.FindStructType(name)
}

// FindStructFieldNames implements types.Provider.
func (m *messages) FindStructFieldNames(name string) ([]string, bool) {
	fields, ok := schema[name]
	if !ok {
		return m.Registry.FindStructFieldNames(name)
	}
	names := make([]string, 0, len(fields))
	for n := range fields {
		names = append(names, n)
	}
	return names, true
}

// FindStructFieldType implements types.Provider.
func (m *messages) FindStructFieldType(name, fieldName string) (*types.FieldType, bool) {
	fields, ok := schema[name]
	if !ok {
		return m.Registry.FindStructFieldType(name, fieldName)
	}
	f, ok := fields[fieldName]
	return f, ok
}

// NewValue implements types.Provider: rules read these messages and cannot make them.
func (m *messages) NewValue(name string, fields map[string]ref.Val) ref.Val {
	if _, ok := schema[name]; ok {
		return types.NewErr("%s cannot be made in a rule", name)
	}
	return m.Registry.NewValue(name, fields)
}

// NativeToValue implements types.Adapter.
func (m *messages) NativeToValue(native any) ref.Val {
	switch v := native.(type) {
	case *item:
		return &message{m, itemType, v}
	case *event.Money:
		return &message{m, moneyType, v}
	case *User:
		return &message{m, userType, v}
	case *Counts:
		return &message{m, countsType, v}
	case *Amounts:
		return &message{m, amountsType, v}
	case *TypeFeatures:
		return &message{m, typeType, v}
	case *RecentItem:
		return &message{m, recentType, v}
	case []TypeFeatures:
		return types.NewDynamicList(m, pointers(v))
	case []Amounts:
		return types.NewDynamicList(m, pointers(v))
	case []RecentItem:
		return types.NewDynamicList(m, pointers(v))
	}
	return m.Registry.NativeToValue(native)
}

func pointers[T any](values []T) []*T {
	out := make([]*T, len(values))
	for i := range values {
		out[i] = &values[i]
	}
	return out
}

// message is a value of one of schema's types.
type message struct {
	adapter  *messages
	typeName string
	native   any
}

// ConvertToNative implements ref.Val.
func (v *message) ConvertToNative(t reflect.Type) (any, error) {
	if reflect.TypeOf(v.native).AssignableTo(t) {
		return v.native, nil
	}
	return nil, fmt.Errorf("%s does not convert to %v", v.typeName, t)
}

// ConvertToType implements ref.Val.
func (v *message) ConvertToType(t ref.Type) ref.Val {
	switch t {
	case types.TypeType:
		return types.NewObjectType(v.typeName)
	case v.Type():
		return v
	}
	return types.NewErr("%s does not convert to %s", v.typeName, t.TypeName())
}

// Equal implements ref.Val.
func (v *message) Equal(other ref.Val) ref.Val {
	o, ok := other.(*message)
	return types.Bool(ok && v.typeName == o.typeName && reflect.DeepEqual(v.native, o.native))
}

// Type implements ref.Val.
func (v *message) Type() ref.Type { return types.NewObjectType(v.typeName) }

// Value implements ref.Val.
func (v *message) Value() any { return v.native }

// Get implements traits.Indexer, for a message behind dyn().
func (v *message) Get(index ref.Val) ref.Val {
	f := v.fieldOf(index)
	if f == nil {
		return types.NewErr("no such key: %v", index)
	}
	native, err := f.GetFrom(v.native)
	if err != nil {
		return types.NewErrFromString(err.Error())
	}
	return v.adapter.NativeToValue(native)
}

// IsSet implements traits.FieldTester, for a message behind dyn().
func (v *message) IsSet(name ref.Val) ref.Val {
	f := v.fieldOf(name)
	if f == nil {
		return types.NewErr("no such key: %v", name)
	}
	return types.Bool(f.IsSet(v.native))
}

func (v *message) fieldOf(name ref.Val) *types.FieldType {
	s, ok := name.(types.String)
	if !ok {
		return nil
	}
	return schema[v.typeName][string(s)]
}
