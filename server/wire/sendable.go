package wire

import (
	"math"
	"strconv"

	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	attunev1 "github.com/attune-shop/attune/gen/attune/v1"
)

// MakeSendable changes in an event that was refused what could not be sent to everybody, or
// not as JSON: text that is not UTF-8, times that are none, numbers that JSON cannot say,
// attributes too deep in each other.
func MakeSendable(e *attunev1.Event) {
	for _, text := range []*string{
		&e.EventId, &e.Type, &e.UserId, &e.AnonymousId, &e.SessionId, &e.ItemId, &e.SearchQuery, &e.RecommendationId, &e.Placement,
	} {
		*text = Text(*text)
	}
	sendableMoney(e.GetValue())
	for _, line := range e.GetLines() {
		line.ItemId = Text(line.ItemId)
		sendableMoney(line.GetPrice())
	}
	for _, at := range []**timestamppb.Timestamp{&e.OccurredAt, &e.SentAt, &e.ReceivedAt} {
		if *at != nil && (*at).CheckValid() != nil {
			*at = timestamppb.New(ReadTime(*at))
		}
	}
	sendableStruct(e.GetAttributes(), 1)
	e.ProtoReflect().SetUnknown(nil)
}

func sendableMoney(m *attunev1.Money) {
	if m != nil {
		m.CurrencyCode = Text(m.CurrencyCode)
	}
}

func sendableStruct(s *structpb.Struct, depth int) {
	for key, value := range s.GetFields() {
		s.Fields[key] = sendableValue(value, depth)
	}
}

func sendableValue(v *structpb.Value, depth int) *structpb.Value {
	if depth > maxNesting {
		return structpb.NewStringValue("...")
	}
	switch kind := v.GetKind().(type) {
	case nil:
		return structpb.NewNullValue()
	case *structpb.Value_NumberValue:
		if n := kind.NumberValue; math.IsNaN(n) || math.IsInf(n, 0) {
			return structpb.NewStringValue(strconv.FormatFloat(n, 'g', -1, 64))
		}
	case *structpb.Value_StructValue:
		sendableStruct(kind.StructValue, depth+1)
	case *structpb.Value_ListValue:
		for i, element := range kind.ListValue.GetValues() {
			kind.ListValue.Values[i] = sendableValue(element, depth+1)
		}
	}
	return v
}
