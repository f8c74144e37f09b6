package wire

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/structpb"
)

// maxNesting bounds how deep attributes may lie in each other: deeper ones could be taken
// in, and then no list that has them be read by anybody.
const maxNesting = 32

// ReadAttributes returns the JSON of free attributes, keys in order, nil where there are
// none. A number that JSON cannot say, or a depth beyond maxNesting, makes it no JSON.
func ReadAttributes(from *structpb.Struct) []byte {
	if from == nil {
		return nil
	}
	return appendStruct(nil, from, 1)
}

func appendStruct(b []byte, from *structpb.Struct, depth int) []byte {
	b = append(b, '{')
	fields := from.GetFields()
	for i, key := range slices.Sorted(maps.Keys(fields)) {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(appendText(b, key), ':')
		b = appendValue(b, fields[key], depth)
	}
	return append(b, '}')
}

func appendValue(b []byte, v *structpb.Value, depth int) []byte {
	if depth > maxNesting {
		return append(b, "too deep"...)
	}
	switch kind := v.GetKind().(type) {
	case *structpb.Value_StringValue:
		return appendText(b, kind.StringValue)
	case *structpb.Value_NumberValue:
		if text, err := json.Marshal(kind.NumberValue); err == nil {
			return append(b, text...)
		}
		return strconv.AppendFloat(b, kind.NumberValue, 'g', -1, 64)
	case *structpb.Value_BoolValue:
		return strconv.AppendBool(b, kind.BoolValue)
	case *structpb.Value_StructValue:
		return appendStruct(b, kind.StructValue, depth+1)
	case *structpb.Value_ListValue:
		b = append(b, '[')
		for i, element := range kind.ListValue.GetValues() {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendValue(b, element, depth+1)
		}
		return append(b, ']')
	}
	return append(b, "null"...)
}

func appendText(b []byte, s string) []byte {
	text, _ := json.Marshal(s) // a string always has a JSON form
	return append(b, text...)
}

// Attributes returns stored attributes for the wire, nil where there are none.
func Attributes(data []byte) *structpb.Struct {
	if len(data) == 0 {
		return nil
	}
	to := &structpb.Struct{}
	if err := protojson.Unmarshal(data, to); err != nil {
		return nil // cannot be: nothing is stored that was not valid
	}
	return to
}
