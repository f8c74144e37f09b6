package e2e_test

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	attunev1 "github.com/attune-shop/attune/gen/attune/v1"
	"github.com/attune-shop/attune/server"
)

var long = strings.Repeat("x", 10_000)

// badEvents are what a client must not send, with the field that the answer names.
var badEvents = []struct {
	name, field string
	change      func(*attunev1.Event)
}{
	{"empty type", "type", func(e *attunev1.Event) { e.Type = "" }},
	{"10 kB type", "type", func(e *attunev1.Event) { e.Type = long }},
	{"nobody", "user_id", func(e *attunev1.Event) { e.UserId = "" }},
	{"10 kB user", "user_id", func(e *attunev1.Event) { e.UserId = long }},
	{"10 kB event id", "event_id", func(e *attunev1.Event) { e.EventId = long }},
	{"neither id nor time", "event_id", func(e *attunev1.Event) { e.EventId, e.OccurredAt = "", nil }},
	{"no item", "item_id", func(e *attunev1.Event) { e.ItemId = "" }},
	{"user not UTF-8", "user_id", func(e *attunev1.Event) { e.UserId = "a\xff" }},
	{"query not UTF-8", "search_query", func(e *attunev1.Event) { e.SearchQuery = "\xc3" }},
	{"unknown currency", "value.currency_code", func(e *attunev1.Event) { e.Value = euros("XXY", 1) }},
	{"negative amount", "value.minor_units", func(e *attunev1.Event) { e.Value = euros("EUR", -1) }},
	{"amount that overflows", "lines[0].price.minor_units", func(e *attunev1.Event) {
		e.Type = "purchase"
		e.Lines = []*attunev1.Line{{ItemId: "a", Quantity: proto.Int64(1_000_000), Price: euros("EUR", math.MaxInt64)}}
	}},
	{"sum that overflows", "lines[1].price.minor_units", func(e *attunev1.Event) {
		line := &attunev1.Line{ItemId: "a", Quantity: proto.Int64(1), Price: euros("EUR", 9_000_000_000_000)}
		e.Type, e.Lines = "purchase", []*attunev1.Line{line, line}
	}},
	{"no pieces", "lines[0].quantity", func(e *attunev1.Event) {
		e.Lines = []*attunev1.Line{{ItemId: "a", Quantity: proto.Int64(0)}}
	}},
	{"purchase without lines", "lines", func(e *attunev1.Event) { e.Type = "purchase" }},
	{"year 1", "occurred_at", func(e *attunev1.Event) { e.OccurredAt = timestamppb.New(time.Time{}) }},
	{"year 3000", "occurred_at", func(e *attunev1.Event) { e.OccurredAt = timestamppb.New(noon.AddDate(974, 0, 0)) }},
	{"after time", "occurred_at", func(e *attunev1.Event) { e.OccurredAt = &timestamppb.Timestamp{Seconds: math.MaxInt64} }},
	{"attributes that JSON cannot say", "attributes", func(e *attunev1.Event) {
		e.Attributes = &structpb.Struct{Fields: map[string]*structpb.Value{"x": structpb.NewNumberValue(math.NaN())}}
	}},
	{"attributes too deep", "attributes", func(e *attunev1.Event) {
		v := structpb.NewStringValue("x")
		for range 400 {
			v = structpb.NewListValue(&structpb.ListValue{Values: []*structpb.Value{v}})
		}
		e.Attributes = &structpb.Struct{Fields: map[string]*structpb.Value{"x": v}}
	}},
	{"10 MB of attributes", "attributes", func(e *attunev1.Event) {
		e.Attributes = &structpb.Struct{Fields: map[string]*structpb.Value{"x": structpb.NewStringValue(strings.Repeat("x", 10<<20))}}
	}},
}

func euros(code string, minor int64) *attunev1.Money {
	return &attunev1.Money{CurrencyCode: code, MinorUnits: minor}
}

// TestBadEvents: each is refused under its field, over every door, its neighbours are
// kept, and it is a dead letter that can be listed.
func TestBadEvents(t *testing.T) { everywhere(t, testBadEvents) }

func testBadEvents(t *testing.T, where server.StoreConfig) {
	s := open(t, where)
	stream, err := s.events.Stream(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	doors := map[string]func([]*attunev1.Event) ([]*attunev1.EventResult, error){
		"gRPC": func(events []*attunev1.Event) ([]*attunev1.EventResult, error) {
			answer, err := s.events.Write(t.Context(), &attunev1.WriteRequest{Events: events})
			return answer.GetResults(), err
		},
		"stream": func(events []*attunev1.Event) ([]*attunev1.EventResult, error) {
			if err := stream.Send(&attunev1.StreamRequest{Events: events}); err != nil {
				return nil, err
			}
			answer, err := stream.Recv()
			return answer.GetResults(), err
		},
		"REST": func(events []*attunev1.Event) ([]*attunev1.EventResult, error) {
			body, err := protojson.Marshal(&attunev1.WriteRequest{Events: events})
			if err != nil {
				return nil, err
			}
			code, data := s.call(http.MethodPost, "/v1/events:write", string(body))
			if code != http.StatusOK {
				return nil, fmt.Errorf("%d %.200s", code, data)
			}
			answer := &attunev1.WriteResponse{}
			err = protojson.Unmarshal(data, answer)
			return answer.GetResults(), err
		},
	}
	want, refused := 0, 0
	for n, tc := range badEvents {
		for door, write := range doors {
			id := fmt.Sprint(door, n)
			bad := view("bad", "anna", "lamp")
			tc.change(bad)
			if door == "REST" && noJSON(bad) {
				continue
			}
			refused++
			results, err := write([]*attunev1.Event{view("before"+id, "anna", "lamp"), bad, view("after"+id, "anna", "lamp")})
			if err != nil || len(results) != 3 {
				t.Errorf("%s over %s: %v, %v", tc.name, door, results, err)
				continue
			}
			want += 2
			if results[0].GetStatus() != attunev1.EventStatus_ACCEPTED || results[2].GetStatus() != attunev1.EventStatus_ACCEPTED {
				t.Errorf("%s over %s: its neighbours are %v and %v", tc.name, door, results[0], results[2])
			}
			if v := results[1].GetViolations(); results[1].GetStatus() != attunev1.EventStatus_REJECTED || len(v) == 0 || v[0].GetField() != tc.field {
				t.Errorf("%s over %s: %v, want %s named", tc.name, door, results[1], tc.field)
			}
		}
	}
	user, err := s.users.GetUser(t.Context(), &attunev1.GetUserRequest{UserId: "anna"})
	if err != nil || user.GetEventCounts()["view_item"] != int64(want) {
		t.Errorf("%v counted, want %d: %v", user.GetEventCounts(), want, err)
	}
	if listed := s.listRejected(); listed != refused {
		t.Errorf("%d dead letters listed, want %d", listed, refused)
	}
	for token := ""; ; {
		var page struct {
			Events []map[string]any `json:"rejected_events"`
			Next   string           `json:"next_page_token"`
		}
		s.get("/v1/events/rejected?page_token="+token, &page)
		refused -= len(page.Events)
		if token = page.Next; token == "" {
			break
		}
	}
	if refused != 0 {
		t.Errorf("%d more dead letters over gRPC than over REST", refused)
	}
}

// noJSON tells whether an event cannot be said in JSON at all.
func noJSON(e *attunev1.Event) bool {
	data, err := protojson.Marshal(e)
	return err != nil || !utf8.Valid(data)
}

// listRejected pages through the dead letters with a client's default limits.
func (s *shop) listRejected() (listed int) {
	s.t.Helper()
	request := &attunev1.ListRejectedRequest{PageSize: 10}
	for {
		page, err := s.events.ListRejected(s.t.Context(), request)
		if err != nil {
			s.t.Fatal(err)
		}
		listed += len(page.GetRejectedEvents())
		if request.PageToken = page.GetNextPageToken(); request.PageToken == "" {
			return listed
		}
	}
}

// TestBadRequests: each is refused as a whole under its field, over gRPC and REST.
func TestBadRequests(t *testing.T) { everywhere(t, testBadRequests) }

func testBadRequests(t *testing.T, where server.StoreConfig) {
	s := open(t, where)
	s.fill()
	items, err := s.items.ListItems(t.Context(), &attunev1.ListItemsRequest{PageSize: 1})
	if err != nil {
		t.Fatal(err)
	}
	recommend := func(change func(*attunev1.RecommendRequest)) error {
		request := &attunev1.RecommendRequest{UserId: "user-1"}
		change(request)
		_, err := s.lists.Recommend(t.Context(), request)
		return err
	}
	for _, tc := range []struct {
		name, field string
		err         error
	}{
		{"limit 0", "limit", recommend(func(r *attunev1.RecommendRequest) { r.Limit = proto.Int32(0) })},
		{"limit -1", "limit", recommend(func(r *attunev1.RecommendRequest) { r.Limit = proto.Int32(-1) })},
		{"limit 10^9", "limit", recommend(func(r *attunev1.RecommendRequest) { r.Limit = proto.Int32(1e9) })},
		{"10 kB user", "user_id", recommend(func(r *attunev1.RecommendRequest) { r.UserId = long })},
		{"user not UTF-8", "user_id", recommend(func(r *attunev1.RecommendRequest) { r.UserId = "\xff" })},
		{"filter that does not parse", "filter", recommend(func(r *attunev1.RecommendRequest) { r.Filter = "item.price <" })},
		{"filter of the wrong type", "filter", recommend(func(r *attunev1.RecommendRequest) { r.Filter = "item.title + 1" })},
		{"filter that is no rule", "filter", recommend(func(r *attunev1.RecommendRequest) { r.Filter = "item.title" })},
		{"filter that runs long", "filter", recommend(func(r *attunev1.RecommendRequest) {
			list := "[" + strings.TrimSuffix(strings.Repeat("1,", 300), ",") + "]"
			r.Filter = list + ".all(a, " + list + ".all(b, " + list + ".all(c, a + b + c > 0)))"
		})},
		{"boost that is no number", "boost", recommend(func(r *attunev1.RecommendRequest) { r.Boost = "'x'" })},
		{"token of another list", "page_token", second(s.models.ListModels(t.Context(), &attunev1.ListModelsRequest{PageToken: items.GetNextPageToken()}))},
		{"token of another list", "page_token", second(s.events.ListRejected(t.Context(), &attunev1.ListRejectedRequest{PageToken: items.GetNextPageToken()}))},
		{"token of another list", "page_token", second(s.users.ListEvents(t.Context(), &attunev1.ListEventsRequest{UserId: "user-1", PageToken: items.GetNextPageToken()}))},
		{"token that is none", "page_token", second(s.items.ListItems(t.Context(), &attunev1.ListItemsRequest{PageToken: "x\xff"}))},
		{"page of -1", "page_size", second(s.items.ListItems(t.Context(), &attunev1.ListItemsRequest{PageSize: -1}))},
		{"empty user", "user_id", second(s.users.GetUser(t.Context(), &attunev1.GetUserRequest{}))},
		{"10 kB item", "item_id", second(s.items.GetItem(t.Context(), &attunev1.GetItemRequest{ItemId: long}))},
		{"too many events", "events", second(s.events.Write(t.Context(), &attunev1.WriteRequest{Events: slices.Repeat([]*attunev1.Event{{}}, 10_001)}))},
		{"unknown algorithm", "algorithm", s.trainError("x")},
	} {
		got := status.Convert(tc.err)
		if got.Code() != codes.InvalidArgument || firstField(got) != tc.field {
			t.Errorf("%s: %v, %q named; want %q", tc.name, got, firstField(got), tc.field)
		}
	}
	for _, tc := range []struct{ field, method, path, body string }{
		{"surprise", "POST", "/v1/recommendations", `{"user_id":"user-1","surprise":1}`},
		{"surprise", "GET", "/v1/users/user-1/recommendations?surprise=1", ""},
		{"limit", "GET", "/v1/users/user-1/recommendations?limit=many", ""},
		{"limit", "GET", "/v1/users/user-1/recommendations?limit=0", ""},
		{"limit", "POST", "/v1/recommendations", `{"user_id":"user-1","limit":"many"}`},
		{"limit", "POST", "/v1/recommendations", `{"user_id":"user-1","limit":1e9}`},
		{"filter", "POST", "/v1/recommendations", `{"user_id":"user-1","filter":"item.nothing == 1"}`},
		{"surprise", "POST", "/v1/events:write", `{"events":[{"event_id":"a"}],"surprise":1}`},
		{"status", "GET", "/v1/trending?status=x", ""},
		{"window", "GET", "/v1/trending?window=1s", ""},
		{"limit", "GET", "/v1/users/user-1/recommendations?limit=2&limit=3", ""},
		{"user_id", "GET", "/v1/users/anna/events?user_id=bob", ""},
		{"userId", "GET", "/v1/users/anna/events?userId=bob", ""},
		{"session.item_id", "GET", "/v1/users/anna/recommendations?session.item_id=lamp", ""},
		{"user_id", "GET", "/v1/users/%FF", ""},
		{"user_id", "GET", "/v1/users/%00", ""},
		{"page_token", "GET", "/v1/items?page_token=zzz", ""},
	} {
		code, data := s.call(tc.method, tc.path, tc.body)
		var answer struct {
			Code    int
			Message string
			Details []struct {
				Violations []struct{ Field string } `json:"field_violations"`
			}
		}
		if err := json.Unmarshal(data, &answer); err != nil || code != http.StatusBadRequest || answer.Code != int(codes.InvalidArgument) {
			t.Errorf("%s %s %s: %d %s", tc.method, tc.path, tc.body, code, data)
		} else if len(answer.Details) == 0 || answer.Details[0].Violations[0].Field != tc.field {
			t.Errorf("%s %s %s: %s; want %q named", tc.method, tc.path, tc.body, data, tc.field)
		}
	}
	for body, want := range map[string]int{"": 200, "{": 400, "[]": 400, `{"events":[null]}`: 200, "\xff": 400, `{"events":[]} x`: 400} {
		if code, data := s.call(http.MethodPost, "/v1/events:write", body); code != want {
			t.Errorf("body %q: %d %s, want %d", body, code, data, want)
		}
	}
	deep := strings.Repeat("[", 5000) + strings.Repeat("]", 5000)
	if code, data := s.call(http.MethodPost, "/v1/events:write", `{"events":[{"attributes":{"x":`+deep+`}}]}`); code != http.StatusOK || !strings.Contains(string(data), "REJECTED") {
		t.Errorf("5,000 deep: %d %.200s", code, data)
	}
	if code, data := s.call(http.MethodPost, "/v1/events:write", `{"x":"`+strings.Repeat("x", 17<<20)+`"}`); code != http.StatusRequestEntityTooLarge {
		t.Errorf("17 MiB: %d %.200s", code, data)
	}
}

func (s *shop) trainError(algorithm string) error {
	training, err := s.models.Train(s.t.Context(), &attunev1.TrainRequest{Algorithm: algorithm})
	if err != nil {
		return err
	}
	_, err = training.Recv()
	return err
}

func second[T any](_ T, err error) error { return err }

func firstField(s *status.Status) string {
	for _, detail := range s.Details() {
		if bad, ok := detail.(*errdetails.BadRequest); ok && len(bad.GetFieldViolations()) > 0 {
			return bad.GetFieldViolations()[0].GetField()
		}
	}
	return ""
}

// TestJSONThatCannotBeReadCostsItsElement: the events and items beside it are taken.
func TestJSONThatCannotBeReadCostsItsElement(t *testing.T) {
	everywhere(t, testJSONThatCannotBeReadCostsItsElement)
}

func testJSONThatCannotBeReadCostsItsElement(t *testing.T, where server.StoreConfig) {
	s := open(t, where)
	good := `{"event_id":"a","type":"view_item","user_id":"anna","item_id":"lamp"}`
	code, data := s.call(http.MethodPost, "/v1/events:write", `{"events":[{"event_id":"b","type":"view_item","user_id":"anna","surprise":1},`+good+`,{"event_id":"c","occurred_at":"yesterday"}]}`)
	var answer struct {
		Results []struct {
			EventID    string `json:"event_id"`
			Status     string
			Violations []struct{ Field string }
		}
	}
	if err := json.Unmarshal(data, &answer); err != nil || code != http.StatusOK || len(answer.Results) != 3 {
		t.Fatalf("%d %s", code, data)
	}
	for n, want := range []string{"b REJECTED surprise", "a ACCEPTED", "c REJECTED occurred_at"} {
		got := answer.Results[n].EventID + " " + answer.Results[n].Status
		for _, v := range answer.Results[n].Violations {
			got += " " + v.Field
		}
		if got != want {
			t.Errorf("event %d: %s, want %s", n, got, want)
		}
	}
	letters, err := s.events.ListRejected(t.Context(), &attunev1.ListRejectedRequest{})
	if err != nil || len(letters.GetRejectedEvents()) != 2 || letters.GetRejectedEvents()[0].GetEvent().GetUserId() != "anna" {
		t.Errorf("dead letters %v, %v", letters, err)
	}
	code, data = s.call(http.MethodPost, "/v1/items:upsert", `{"items":[{"item_id":"sofa","colour":"red"},{"item_id":"lamp"}]}`)
	if code != http.StatusOK || !strings.Contains(string(data), `"field":"colour"`) {
		t.Errorf("%d %s", code, data)
	}
	var item struct {
		ItemID string `json:"item_id"`
	}
	s.get("/v1/items/lamp", &item)
	if code, data := s.call(http.MethodGet, "/v1/items/sofa", ""); item.ItemID != "lamp" || code != http.StatusNotFound {
		t.Errorf("lamp: %v; sofa: %d %s", item, code, data)
	}
}

// TestABadLineOfAStream: what came before it is answered, and the client is told.
func TestABadLineOfAStream(t *testing.T) { everywhere(t, testABadLineOfAStream) }

func testABadLineOfAStream(t *testing.T, where server.StoreConfig) {
	s := open(t, where)
	good := `{"events":[{"event_id":"a","type":"view_item","user_id":"anna","item_id":"lamp"}],"batch_id":"1"}`
	code, data := s.call(http.MethodPost, "/v1/events:stream", good+"\n"+`{"surprise":1}`+"\n"+good+"\n")
	lines := strings.Split(strings.TrimSpace(string(data)), "\n")
	if code != http.StatusOK || len(lines) != 2 || !strings.Contains(lines[0], "ACCEPTED") || !strings.Contains(lines[1], `"field":"surprise"`) {
		t.Errorf("%d %s", code, data)
	}
	if code, data := s.call(http.MethodPost, "/v1/events:stream", "{"); code != http.StatusBadRequest || !strings.Contains(string(data), "error") {
		t.Errorf("%d %s", code, data)
	}
}
