package server

import (
	"fmt"
	"net/url"
	"strings"
	"sync"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"github.com/grpc-ecosystem/grpc-gateway/v2/utilities"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

var useStrictQuery sync.Once

// strictQuery makes query parameters that there are not an error, as fields in JSON are.
// The gateway has one parser for all its muxes.
func strictQuery() runtime.ServeMuxOption {
	return func(mux *runtime.ServeMux) {
		useStrictQuery.Do(func() { runtime.SetQueryParameterParser(&queryParser{})(mux) })
	}
}

type queryParser struct{ runtime.DefaultQueryParser }

func (p *queryParser) Parse(m proto.Message, values url.Values, filter *utilities.DoubleArray) error {
	for key := range values {
		name := fieldName(m.ProtoReflect().Descriptor(), key)
		if name == "" {
			return fmt.Errorf("unknown field %q", key)
		}
		if filter.HasCommonPrefix(strings.Split(name, ".")) {
			return fmt.Errorf("field %q: is in the path already", key)
		}
	}
	return p.DefaultQueryParser.Parse(m, values, filter)
}

// fieldName returns the path, as in "value.minorUnits", by the names of the proto; empty
// where it names no field.
func fieldName(message protoreflect.MessageDescriptor, path string) string {
	name, rest, nested := strings.Cut(path, ".")
	field := message.Fields().ByTextName(name)
	if field == nil {
		field = message.Fields().ByJSONName(name)
	}
	switch {
	case field == nil || nested && (field.Message() == nil || field.IsList() || field.IsMap()):
		return ""
	case !nested:
		return string(field.Name())
	}
	if rest = fieldName(field.Message(), rest); rest == "" {
		return ""
	}
	return string(field.Name()) + "." + rest
}
