package server

import (
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

	attunev1 "github.com/attune-shop/attune/gen/attune/v1"
	"github.com/attune-shop/attune/server/wire"
)

func TestWhatCannotBeReadIsNamed(t *testing.T) {
	for body, want := range map[string]string{
		`{"events":[{},{"surprise":1}]}`:                               "events[1].surprise",
		"{\n \"events\": [\n  {\"occurred_at\": \"yesterday\"}]}":      "events[0].occurred_at",
		`{"events":[{"lines":[{"item_id":"é"},{"quantity":"many"}]}]}`: "events[0].lines[1].quantity",
		`{"events":[{"value":{"currency_code":5}}]}`:                   "events[0].value.currency_code",
		`{"events":[{"user_id":"a","userId":"b"}]}`:                    "events[0].userId",
		`{"events":[null]}`:                                            "events[0]",
		`{"events":{}}`:                                                "events",
		`[]`:                                                           "",
		`{"events":`:                                                   "",
	} {
		err := newJSONForm().Unmarshal([]byte(body), &attunev1.WriteRequest{})
		if err == nil || fieldIn(nameField([]byte(body), err).Error()) != want {
			t.Errorf("%s: %v; %q named, want %q", body, err, fieldIn(err.Error()), want)
		}
	}
}

func TestEachValueOfAStreamIsBounded(t *testing.T) {
	batch := `{"batch_id":"` + strings.Repeat("x", 6<<20) + `"}`
	values := newJSONForm().NewDecoder(stream(strings.Repeat(batch+"\n", 5) + `{"batch_id":"` + strings.Repeat("x", 2*maxMessageBytes)))
	for n := range 5 {
		if err := values.Decode(&attunev1.StreamRequest{}); err != nil {
			t.Fatalf("value %d: %v", n, err)
		}
	}
	if err := values.Decode(&attunev1.StreamRequest{}); err == nil || !strings.Contains(err.Error(), errTooLong.Error()) {
		t.Errorf("a value that is too long: %v", err)
	}
}

func TestABatchIsReadElementByElement(t *testing.T) {
	var request attunev1.StreamRequest
	err := newJSONForm().NewDecoder(strings.NewReader(`{"batch_id": "1", "events": [
		{"surprise": 1, "event_id": "a", "occurred_at": "yesterday", "type": "view_item", "lines": [{"quantity": []}]},
		{"event_id": "b", "item_id": "lamp"}, null, 5, {"event_id": "c", "user_id": "x", "userId": "y"}, {"event_id": "` + "\xff" + `"}
	]}`)).Decode(&request)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range request.GetEvents() {
		text := e.GetEventId() + e.GetItemId()
		for _, v := range wire.Unread(e) {
			text += " " + v.Field
			if v.Rule == "" || strings.Contains(v.Rule, "line") {
				t.Errorf("%s: %q", v.Field, v.Rule)
			}
		}
		got = append(got, text)
	}
	want := []string{"a surprise lines[0].quantity occurred_at", "blamp", " event", " event", "c userId", " event_id"}
	if diff := cmp.Diff(want, got); diff != "" || request.GetBatchId() != "1" {
		t.Error(diff)
	}
	for _, body := range []string{
		`{"events":{}}`, `{"events":[{}],"surprise":1}`, `{"events":[{"surprise":1}],"events":[]}`, `{"events":[{"x":1}`, `{"events":[{"x":1}],"batch_id":5}`,
	} {
		if err := newJSONForm().NewDecoder(strings.NewReader(body)).Decode(&request); err == nil {
			t.Errorf("%s is read", body)
		}
	}
}

func stream(body string) *streamBody {
	return &streamBody{ReadCloser: io.NopCloser(strings.NewReader(body))}
}

func TestARequestIsOneValue(t *testing.T) {
	for body, whole := range map[string]bool{
		`{}`: true, " {\"events\":[]} \n": true, `{}{}`: false, `{"events":[]} {"events":[{}]}`: false, `{} garbage`: false, `{}}`: false,
	} {
		err := newJSONForm().NewDecoder(strings.NewReader(body)).Decode(&attunev1.WriteRequest{})
		if whole != (err == nil) || !whole && !errors.Is(err, errMore) {
			t.Errorf("%s: %v", body, err)
		}
	}
}

func FuzzPathAt(f *testing.F) {
	f.Add([]byte(`{"a":[1,{"b":"c"}]}`), int64(12))
	f.Fuzz(func(t *testing.T, data []byte, offset int64) {
		if path := pathAt(data, offset); offset < 0 && strings.Contains(path, "]") {
			t.Fatalf("%q before the beginning", path)
		}
	})
}

// FuzzDecoder reads requests, one and many in a body.
func FuzzDecoder(f *testing.F) {
	f.Add([]byte(`{"events":[{"event_id":"e","occurredAt":"2026-01-01T00:00:00Z","attributes":{"a":[1]}}]}{"surprise":1}`))
	f.Add([]byte(`{"events":[{"value":{"currency_code":5}}]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		form := newJSONForm()
		values := form.NewDecoder(stream(string(body)))
		for {
			var request attunev1.WriteRequest
			if err := values.Decode(&request); err != nil {
				return
			}
			for _, e := range request.GetEvents() {
				e.ProtoReflect().SetUnknown(nil) // what could not be read
			}
			written, err := form.Marshal(&request)
			if err != nil {
				t.Fatalf("read and not written: %v", err)
			}
			var again attunev1.WriteRequest
			if err := form.NewDecoder(strings.NewReader(string(written))).Decode(&again); err != nil || !proto.Equal(&request, &again) {
				t.Fatalf("%s: read again: %v", written, err)
			}
		}
	})
}
