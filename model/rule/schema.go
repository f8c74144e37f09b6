package rule

import (
	"errors"
	"time"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
)

// Fields are the fields of a Message by name, made with Text, Int and their neighbours. An accessor
// gets the message's native value, a pointer.
type Fields map[string]*types.FieldType

// Message is a type of message that rules read and cannot make.
type Message struct {
	name   string
	typ    *types.Type
	fields Fields
}

// NewMessage returns the type of that name.
func NewMessage(name string, fields Fields) *Message {
	return &Message{name: name, typ: types.NewObjectType(name), fields: fields}
}

// Type is the message's type in CEL.
func (m *Message) Type() *cel.Type { return m.typ }

// Fields returns the message's fields. They must not be changed.
func (m *Message) Fields() Fields { return m.fields }

// Of returns a native value as rules see it.
func (m *Message) Of(native any) ref.Val { return &value{m, native} }

var (
	errType = errors.New("unexpected message type")
	// ErrUnknown is the error of reading what is not known.
	ErrUnknown = errors.New("not known")
)

// Field makes a field from typed accessors. Where the value may be absent, get returns ErrUnknown.
func Field[T any](t *cel.Type, isSet func(*T) bool, get func(*T) (any, error)) *types.FieldType {
	return &types.FieldType{
		Type: t,
		IsSet: func(target any) bool {
			v, ok := target.(*T)
			return ok && v != nil && isSet(v)
		},
		GetFrom: func(target any) (any, error) {
			v, ok := target.(*T)
			if !ok || v == nil {
				return nil, errType
			}
			return get(v)
		},
	}
}

// Text is a field with text; empty text is not set.
func Text[T any](get func(*T) string) *types.FieldType {
	return Field(cel.StringType, func(v *T) bool { return get(v) != "" }, func(v *T) (any, error) { return types.String(get(v)), nil })
}

// Int is a field with a whole number; 0 is not set.
func Int[T any](get func(*T) int64) *types.FieldType {
	return Field(cel.IntType, func(v *T) bool { return get(v) != 0 }, func(v *T) (any, error) { return types.Int(get(v)), nil })
}

// Texts is a field with a list of text; an empty list is not set.
func Texts[T any](get func(*T) []string) *types.FieldType {
	return Field(cel.ListType(cel.StringType), func(v *T) bool { return len(get(v)) > 0 },
		func(v *T) (any, error) { return get(v), nil })
}

// List is a field with a list of messages, each made by Of; an empty list is not set.
func List[T any](of *Message, get func(*T) []ref.Val) *types.FieldType {
	return Field(cel.ListType(of.typ), func(v *T) bool { return len(get(v)) > 0 },
		func(v *T) (any, error) { return types.NewRefValList(types.DefaultTypeAdapter, get(v)), nil })
}

// Map is a field with a Table as a map from text; an empty one is not set.
func Map[T any](element *cel.Type, zero ref.Val, get func(*T) Table) *types.FieldType {
	return Field(cel.MapType(cel.StringType, element), func(v *T) bool { return len(get(v).Keys()) > 0 },
		func(v *T) (any, error) { return &lookup{get(v), zero}, nil })
}

// Object is a field with a message, made by Of, that is always there.
func Object[T any](of *Message, get func(*T) ref.Val) *types.FieldType {
	return Field(of.typ, func(*T) bool { return true }, func(v *T) (any, error) { return get(v), nil })
}

// Optional is a field with a value that may be absent.
func Optional[T any](t *cel.Type, get func(*T) (ref.Val, bool)) *types.FieldType {
	return Field(t,
		func(v *T) bool { _, ok := get(v); return ok },
		func(v *T) (any, error) {
			m, ok := get(v)
			if !ok {
				return nil, ErrUnknown
			}
			return m, nil
		})
}

// Time is a field with a time; the zero time is absent.
func Time[T any](get func(*T) time.Time) *types.FieldType {
	return Optional(cel.TimestampType, func(v *T) (ref.Val, bool) { t := get(v); return types.Timestamp{Time: t}, !t.IsZero() })
}
