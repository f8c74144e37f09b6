package server

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/protobuf/encoding/protojson"
)

// errMore says that after the JSON value of a request there is more, which would be lost.
var errMore = errors.New("the request must be one JSON value; there is more after it")

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
