package wire

import (
	"errors"
	"math"
	"unicode/utf8"

	"google.golang.org/grpc/encoding"
	encodingproto "google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/structpb"
)

// maxDepth bounds how deep mend looks, so that no message can make it run away.
const maxDepth = 64

// Codec returns gRPC's own codec, but for one thing: free attributes that are not UTF-8,
// which a google.protobuf.Struct must be, do not make the whole message unreadable. They
// are replaced by some that Validate refuses.
func Codec() encoding.CodecV2 { return codec{encoding.GetCodecV2(encodingproto.Name)} }

type codec struct{ encoding.CodecV2 }

func (c codec) Unmarshal(data mem.BufferSlice, into any) error {
	err := c.CodecV2.Unmarshal(data, into)
	message, ok := into.(proto.Message)
	if err == nil || !ok {
		return err
	}
	mended, changed, mendErr := mend(message.ProtoReflect().Descriptor(), data.Materialize(), 0)
	if mendErr != nil || !changed {
		return err
	}
	proto.Reset(message)
	return proto.Unmarshal(mended, message)
}

var errUnreadable = errors.New("not a message")

// refused is, in its wire form, a Struct that is no JSON.
var refused, _ = proto.Marshal(&structpb.Struct{Fields: map[string]*structpb.Value{"": structpb.NewNumberValue(math.NaN())}})

// mend returns a message with UTF-8 for all text in its Structs, and tells whether there
// was any other; such a Struct is marked by refused.
func mend(of protoreflect.MessageDescriptor, data []byte, depth int) (mended []byte, changed bool, err error) {
	if depth > maxDepth {
		return nil, false, errUnreadable
	}
	for len(data) > 0 {
		number, kind, n := protowire.ConsumeTag(data)
		if n < 0 {
			return nil, false, errUnreadable
		}
		length := protowire.ConsumeFieldValue(number, kind, data[n:])
		if length < 0 {
			return nil, false, errUnreadable
		}
		field, whole := of.Fields().ByNumber(number), data[:n+length]
		data = data[n+length:]
		if kind != protowire.BytesType || field == nil {
			mended = append(mended, whole...)
			continue
		}
		value, _ := protowire.ConsumeBytes(whole[n:])
		switch {
		case field.Message() != nil:
			inner, innerChanged, err := mend(field.Message(), value, depth+1)
			if err != nil {
				return nil, false, err
			}
			if innerChanged {
				value, changed = inner, true
				if field.Message().FullName() == "google.protobuf.Struct" {
					value = append(value, refused...)
				}
			}
		case field.Kind() == protoreflect.StringKind && of.ParentFile().Package() == "google.protobuf" && !utf8.Valid(value):
			value, changed = []byte(Text(string(value))), true
		}
		mended = protowire.AppendBytes(protowire.AppendTag(mended, number, kind), value)
	}
	return mended, changed, nil
}
