package wire_test

import (
	"bytes"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	attunev1 "github.com/attune-shop/attune/gen/attune/v1"
	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/server/wire"
)

var noon = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

func purchase(t testing.TB) *attunev1.Event {
	t.Helper()
	attributes, err := structpb.NewStruct(map[string]any{"b": []any{1.5, "x", nil, true}, "a": map[string]any{"<é>": "\n"}})
	if err != nil {
		t.Fatal(err)
	}
	return &attunev1.Event{
		EventId: "e1", Type: "purchase", UserId: "anna", AnonymousId: "cookie", SessionId: "s1", ItemId: "lamp",
		Lines: []*attunev1.Line{
			{ItemId: "lamp", Quantity: proto.Int64(2), Price: &attunev1.Money{CurrencyCode: "EUR", MinorUnits: 1250}},
			{ItemId: "bulb", Quantity: proto.Int64(1)},
		},
		Value:      &attunev1.Money{CurrencyCode: "EUR", MinorUnits: 2500},
		OccurredAt: timestamppb.New(noon), SentAt: timestamppb.New(noon.Add(time.Second)),
		SearchQuery: "lamps", RecommendationId: "r1", Placement: "home", Attributes: attributes,
	}
}

func TestEventThereAndBack(t *testing.T) {
	want := purchase(t)
	var e event.Event
	wire.ReadEvent(&e, want)
	if got := e.Validate(noon); len(got) > 0 {
		t.Fatalf("violations %v", got)
	}
	if diff := cmp.Diff(want, wire.Event(&e), protocmp.Transform()); diff != "" {
		t.Error(diff)
	}
	if got, want := string(e.Attributes), `{"a":{"\u003cé\u003e":"\n"},"b":[1.5,"x",null,true]}`; got != want {
		t.Errorf("attributes %s, want %s", got, want)
	}
}

func TestItemThereAndBack(t *testing.T) {
	want := &attunev1.Item{
		ItemId: "lamp", Title: "Lamp", Categories: []string{"Home > Lighting"}, Brand: "Lumen",
		Price: &attunev1.Money{CurrencyCode: "EUR", MinorUnits: 1}, Availability: attunev1.Availability_PREORDER,
		ImageUrl: "https://shop/lamp.png", PageUrl: "/lamp",
		Attributes:    &structpb.Struct{Fields: map[string]*structpb.Value{"watt": structpb.NewNumberValue(60)}},
		AvailableFrom: timestamppb.New(noon), AvailableUntil: timestamppb.New(noon.Add(time.Hour)),
	}
	item := wire.ReadItem(want)
	if got := item.Validate(); len(got) > 0 {
		t.Fatalf("violations %v", got)
	}
	if diff := cmp.Diff(want, wire.Item(&item), protocmp.Transform()); diff != "" {
		t.Error(diff)
	}
	if got := wire.ReadItem(&attunev1.Item{}).Availability; got != event.InStock {
		t.Errorf("availability %d where none was given", got)
	}
	for _, a := range []attunev1.Availability{-1, 5, 257, math.MaxInt32} {
		item := wire.ReadItem(&attunev1.Item{ItemId: "x", Availability: a})
		if v := item.Validate(); len(v) != 1 || v[0].Field != "availability" {
			t.Errorf("availability %d: %v", a, v)
		}
	}
}

// TestWhatTheVocabularyHasNoWordFor is refused under the field it came in.
func TestWhatTheVocabularyHasNoWordFor(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*attunev1.Event)
		field  string
	}{
		"year 1":          {func(e *attunev1.Event) { e.OccurredAt = timestamppb.New(time.Time{}) }, "occurred_at"},
		"before time":     {func(e *attunev1.Event) { e.OccurredAt = &timestamppb.Timestamp{Seconds: math.MinInt64} }, "occurred_at"},
		"after time":      {func(e *attunev1.Event) { e.OccurredAt = &timestamppb.Timestamp{Seconds: math.MaxInt64} }, "occurred_at"},
		"year 3000":       {func(e *attunev1.Event) { e.OccurredAt = timestamppb.New(noon.AddDate(974, 0, 0)) }, "occurred_at"},
		"too many nanos":  {func(e *attunev1.Event) { e.SentAt = &timestamppb.Timestamp{Seconds: 1, Nanos: 2e9} }, "sent_at"},
		"not a number":    {func(e *attunev1.Event) { e.Attributes.Fields["x"] = structpb.NewNumberValue(math.NaN()) }, "attributes"},
		"infinite":        {func(e *attunev1.Event) { e.Attributes.Fields["x"] = structpb.NewNumberValue(math.Inf(1)) }, "attributes"},
		"too deep":        {func(e *attunev1.Event) { e.Attributes.Fields["x"] = nested(40) }, "attributes"},
		"no pieces":       {func(e *attunev1.Event) { e.Lines[0].Quantity = proto.Int64(0) }, "lines[0].quantity"},
		"an empty amount": {func(e *attunev1.Event) { e.Lines[0].Price.CurrencyCode = "" }, "lines[0].price.currency_code"},
	} {
		from := purchase(t)
		tc.change(from)
		var e event.Event
		wire.ReadEvent(&e, from)
		if v := e.Validate(noon); len(v) == 0 || v[0].Field != tc.field {
			t.Errorf("%s: %v", name, v)
		}
	}
	var e event.Event
	wire.ReadEvent(&e, nil)
	wire.ReadEvent(&e, &attunev1.Event{Lines: []*attunev1.Line{nil}})
	if e.Lines[0].Quantity != 1 {
		t.Error("a line without quantity is one piece")
	}
}

func nested(depth int) *structpb.Value {
	v := structpb.NewStringValue("x")
	for range depth {
		v = structpb.NewListValue(&structpb.ListValue{Values: []*structpb.Value{v}})
	}
	return v
}

func TestCheckID(t *testing.T) {
	for _, id := range []string{"", "a\xff", "a\n", string(make([]byte, 10_000))} {
		if err := wire.CheckID("user_id", id); err == nil {
			t.Errorf("%.10q is an id", id)
		}
	}
	if err := wire.CheckID("user_id", "anna é"); err != nil {
		t.Error(err)
	}
}

// TestMakeSendable: whatever came can be shown, over gRPC and as JSON.
func TestMakeSendable(t *testing.T) {
	m := purchase(t)
	m.UserId, m.Lines[1].ItemId = "a\xff", "\xfe"
	m.OccurredAt.Seconds, m.SentAt.Nanos = math.MaxInt64, -1
	m.Attributes.Fields["nan"] = structpb.NewListValue(&structpb.ListValue{Values: []*structpb.Value{structpb.NewNumberValue(math.NaN())}})
	m.Attributes.Fields["deep"] = nested(1000)
	m.Attributes.Fields["none"] = &structpb.Value{}
	wire.MakeSendable(m)
	if m.GetUserId() != "a\uFFFD" || m.GetLines()[1].GetItemId() != "\uFFFD" || m.GetEventId() != "e1" {
		t.Errorf("cleaned: %v", m)
	}
	if _, err := protojson.Marshal(m); err != nil {
		t.Error(err)
	}
}

// TestCodecNamesAttributesThatAreNotUTF8: they do not lose the batch that they are in.
func TestCodecNamesAttributesThatAreNotUTF8(t *testing.T) {
	good, bad := purchase(t), purchase(t)
	bad.Attributes.Fields["mark"] = structpb.NewStringValue("ABCDEF")
	request := &attunev1.WriteRequest{Events: []*attunev1.Event{good, bad, good}}
	data, err := proto.Marshal(request)
	if err != nil {
		t.Fatal(err)
	}
	data = bytes.Replace(data, []byte("ABCDEF"), []byte("ABC\xffEF"), 1)
	got := &attunev1.WriteRequest{}
	if err := wire.Codec().Unmarshal(mem.BufferSlice{mem.SliceBuffer(data)}, got); err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"", "attributes", ""} {
		var e event.Event
		wire.ReadEvent(&e, got.GetEvents()[i])
		field := ""
		for _, v := range e.Validate(noon) {
			field += v.Field
		}
		if field != want {
			t.Errorf("event %d: %q named, want %q", i, field, want)
		}
	}
	for _, data := range [][]byte{{0xff}, bytes.Repeat([]byte{0x0a, 0x7f}, 1000), data[:len(data)-3]} {
		if err := wire.Codec().Unmarshal(mem.BufferSlice{mem.SliceBuffer(data)}, got); err == nil {
			t.Errorf("%.20x was read", data)
		}
	}
}

// FuzzCodec: the codec reads what the plain one does, the same, and fails without harm.
func FuzzCodec(f *testing.F) {
	data, err := proto.Marshal(&attunev1.WriteRequest{Events: []*attunev1.Event{purchase(f)}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Fuzz(func(t *testing.T, data []byte) {
		plain, got := &attunev1.WriteRequest{}, &attunev1.WriteRequest{}
		err := wire.Codec().Unmarshal(mem.BufferSlice{mem.SliceBuffer(data)}, got)
		if proto.Unmarshal(data, plain) == nil && (err != nil || !proto.Equal(plain, got)) {
			t.Fatalf("%v; read %v, want %v", err, got, plain)
		}
		for _, e := range got.GetEvents() {
			wire.MakeSendable(e)
			if _, err := protojson.Marshal(e); err != nil && !strings.Contains(err.Error(), "recursion") {
				t.Fatal(err)
			}
		}
	})
}

// FuzzReadEvent: whatever comes either is refused or goes there and back.
func FuzzReadEvent(f *testing.F) {
	data, err := proto.Marshal(purchase(f))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Fuzz(func(t *testing.T, data []byte) {
		from := &attunev1.Event{}
		if proto.Unmarshal(data, from) != nil {
			return
		}
		var e, again event.Event
		wire.ReadEvent(&e, from)
		if len(e.Validate(noon)) > 0 {
			return
		}
		to := wire.Event(&e)
		if _, err := protojson.Marshal(to); err != nil {
			t.Fatalf("cannot be sent as JSON: %v", err)
		}
		wire.ReadEvent(&again, to)
		e.Complete(noon)
		again.Complete(noon)
		if diff := cmp.Diff(e, again); diff != "" {
			t.Fatal(diff)
		}
	})
}
