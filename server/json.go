package server

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"regexp"
	"strings"
	"sync"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"github.com/grpc-ecosystem/grpc-gateway/v2/utilities"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// errMore says that behind the JSON value of a request there is more, which would be lost.
var errMore = errors.New("the request must be one JSON value; there is more behind it")

// errTooLong says that one JSON value is longer than a message may be.
var errTooLong = fmt.Errorf("a JSON value of more than %d bytes", maxMessageBytes)

// maxNesting bounds how deep the messages of a JSON value may lie in each other. It leaves
// room for attributes that are refused under their name.
const maxNesting = 1000

// jsonForm is the JSON of the REST routes: it goes out with the proto's names and every
// field that has a default, comes in by either name, and refuses fields that there are not.
type jsonForm struct{ runtime.JSONPb }

func newJSONForm() *jsonForm {
	return &jsonForm{runtime.JSONPb{
		MarshalOptions:   protojson.MarshalOptions{UseProtoNames: true, EmitDefaultValues: true},
		UnmarshalOptions: protojson.UnmarshalOptions{RecursionLimit: maxNesting},
	}}
}

// NewDecoder reads the JSON values in r one after the other, each of at most maxMessageBytes.
func (f *jsonForm) NewDecoder(r io.Reader) runtime.Decoder {
	bounded := &boundedReader{from: r}
	values := json.NewDecoder(bounded)
	stream, _ := r.(*streamBody)
	return runtime.DecoderFunc(func(into any) error {
		bounded.left = maxMessageBytes
		var value json.RawMessage
		err := values.Decode(&value)
		if err == nil && stream == nil {
			if _, end := values.Token(); !errors.Is(end, io.EOF) {
				err = errMore
			}
		}
		if err == nil {
			err = f.read(value, into)
		}
		if err != nil && !errors.Is(err, io.EOF) && stream != nil {
			stream.fail(err)
		}
		return err
	})
}

// read reads one request. In a batch, an element that cannot be read costs itself only.
func (f *jsonForm) read(value json.RawMessage, into any) error {
	err := f.Unmarshal(value, into)
	if err == nil || f.readEach(value, into) {
		return nil
	}
	return nameField(value, err)
}

// boundedReader fails once left bytes were read.
type boundedReader struct {
	from io.Reader
	left int
}

func (b *boundedReader) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, errTooLong
	}
	n, err := b.from.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, err
}

// streamBody is the body of a streamed request. The gateway ends a stream at what it cannot
// read without a word to the client; what that was is kept here.
type streamBody struct {
	io.ReadCloser

	mu     sync.Mutex
	failed error
}

func (b *streamBody) fail(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.failed = err
}

func (b *streamBody) failure() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.failed
}

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

// fieldNames find the field in what nameField and the gateway say of values that they cannot read.
var fieldNames = []*regexp.Regexp{
	regexp.MustCompile(`(?:^|unknown |duplicate |parsing |: |for )field "([^"]+)"`),
	regexp.MustCompile(`parameter: (\w+)`),
}

// fieldIn returns the field that a message names, empty where it names none.
func fieldIn(message string) string {
	for _, names := range fieldNames {
		if match := names.FindStringSubmatch(message); match != nil {
			return match[1]
		}
	}
	return ""
}
