package wire

import (
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/attune-shop/attune/model/event"
)

// unread is the number of a field that no message has: what could not be read of an event
// or item in another form than the wire's travels in it, as pairs of field and rule.
const unread protowire.Number = protowire.MaxValidNumber

// MarkUnread marks an event or item as one of which something could not be read.
func MarkUnread(m proto.Message, v event.Violation) {
	unknown := m.ProtoReflect().GetUnknown()
	for _, text := range []string{v.Field, v.Rule} {
		unknown = protowire.AppendString(protowire.AppendTag(unknown, unread, protowire.BytesType), Text(text))
	}
	m.ProtoReflect().SetUnknown(unknown)
}

// Unread returns what MarkUnread said of an event or item.
func Unread(m proto.Message) []event.Violation {
	unknown := m.ProtoReflect().GetUnknown()
	if len(unknown) == 0 {
		return nil
	}
	var violations []event.Violation
	var texts []string
	for len(unknown) > 0 {
		number, kind, n := protowire.ConsumeTag(unknown)
		length := protowire.ConsumeFieldValue(number, kind, unknown[n:])
		if number == unread && kind == protowire.BytesType {
			text, _ := protowire.ConsumeString(unknown[n:])
			texts = append(texts, Text(text))
		}
		unknown = unknown[n+length:]
	}
	for ; len(texts) >= 2; texts = texts[2:] {
		violations = append(violations, event.Violation{Field: texts[0], Rule: texts[1]})
	}
	return violations
}
