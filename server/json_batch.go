package server

import (
	"bytes"
	"encoding/json"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	attunev1 "github.com/attune-shop/attune/gen/attune/v1"
	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/server/wire"
)

// batchOf returns the list of a request whose elements are taken or refused one by one;
// nil where the request is no batch.
func batchOf(request any) protoreflect.FieldDescriptor {
	var name protoreflect.Name
	switch request.(type) {
	case *attunev1.WriteRequest, *attunev1.StreamRequest:
		name = "events"
	case *attunev1.UpsertItemsRequest, *attunev1.ImportItemsRequest:
		name = "items"
	default:
		return nil
	}
	return request.(proto.Message).ProtoReflect().Descriptor().Fields().ByName(name)
}

// readEach reads a batch element by element and marks those that cannot be read as unread,
// for the service to refuse. It tells whether it could: the request is a batch, and nothing
// is wrong but elements of it.
func (f *jsonForm) readEach(value json.RawMessage, request any) bool {
	field := batchOf(request)
	if field == nil {
		return false
	}
	name := string(field.Name())
	if bytes.Count(value, []byte(`"`+name+`"`)) != 1 { // given twice, perhaps
		return false
	}
	var members map[string]json.RawMessage
	var elements []json.RawMessage
	if json.Unmarshal(value, &members) != nil || json.Unmarshal(members[name], &elements) != nil {
		return false
	}
	members[name] = json.RawMessage("[]")
	rest, err := json.Marshal(members)
	if err != nil || f.Unmarshal(rest, request) != nil {
		return false
	}
	list := request.(proto.Message).ProtoReflect().Mutable(field).List()
	for _, data := range elements {
		element := list.AppendMutable().Message().Interface()
		for _, violation := range f.readFields(data, element) {
			if violation.Field == "" { // it is no object
				violation.Field = strings.TrimSuffix(name, "s")
			}
			wire.MarkUnread(element, violation)
		}
	}
	return true
}

// readFields reads what it can of an object and returns what is wrong with the rest.
func (f *jsonForm) readFields(data json.RawMessage, into proto.Message) (violations []event.Violation) {
	for {
		err := f.Unmarshal(data, into)
		if err == nil {
			return violations
		}
		path := fieldOf(data, err)
		violations = append(violations, event.Violation{Field: path, Rule: ruleOf(err)})
		var found bool
		if data, found = withoutMember(data, path); !found {
			proto.Reset(into)
			return violations
		}
	}
}

// withoutMember returns an object without the member that a path begins with. It tells
// whether there is one.
func withoutMember(object json.RawMessage, path string) (rest json.RawMessage, found bool) {
	key := path
	if end := strings.IndexAny(path, ".["); end >= 0 {
		key = path[:end]
	}
	var members map[string]json.RawMessage
	if json.Unmarshal(object, &members) != nil || members[key] == nil {
		return nil, false
	}
	delete(members, key)
	rest, err := json.Marshal(members)
	return rest, err == nil
}
