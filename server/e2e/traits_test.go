package e2e_test

import (
	"fmt"
	"maps"
	"math"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	attunev1 "github.com/attune-shop/attune/gen/attune/v1"
	"github.com/attune-shop/attune/server"
)

// identify is an event that says so of its user, some hours before noon.
func identify(id, user string, hours int, traits map[string]any) *attunev1.Event {
	attributes, err := structpb.NewStruct(traits)
	if err != nil {
		panic(err)
	}
	return &attunev1.Event{
		EventId: id, Type: "identify", UserId: user, Attributes: attributes,
		OccurredAt: timestamppb.New(noon.Add(-time.Duration(hours) * time.Hour)),
	}
}

// TestTraits: what a shop says of a user is what it said last, whatever came first, of the
// user and of the visitor that it was; over both doors, in rules, and after a restart.
func TestTraits(t *testing.T) { everywhere(t, testTraits) }

func testTraits(t *testing.T, where server.StoreConfig) {
	s := open(t, where)
	s.fill()
	early := identify("i3", "", 30, map[string]any{"country": "AT", "newsletter": true})
	early.AnonymousId = "phone"
	link := identify("i4", "zoe", 40, nil)
	link.AnonymousId = "phone"
	if _, err := s.events.Write(t.Context(), &attunev1.WriteRequest{Events: []*attunev1.Event{
		identify("i1", "zoe", 10, map[string]any{"country": "DE", "tier": nil, "age": 41.5}),
		identify("i2", "zoe", 20, map[string]any{"country": "FR", "tier": "gold", "vip": false, "age": 40}),
		early, link, view("v1", "zoe", "item-2"),
	}}); err != nil {
		t.Fatal(err)
	}
	code, answer := s.call(http.MethodPost, "/v1/events:write", `{"events":[
		{"event_id":"i5","type":"Identify","user_id":"zoe","item_id":"item-3","occurred_at":"2026-06-01T11:00:00Z","attributes":{"birthday":"1985-02-01"}},
		{"event_id":"i6","type":"identify","user_id":"zoe","attributes":{"address":{"city":"Graz"}}}]}`)
	if code != http.StatusOK || !strings.Contains(string(answer), `"attributes.address"`) {
		t.Fatalf("%d %s", code, answer)
	}
	want := map[string]any{"country": "DE", "newsletter": true, "age": 41.5, "vip": false, "birthday": "1985-02-01"}
	check := func() {
		t.Helper()
		user, err := s.users.GetUser(t.Context(), &attunev1.GetUserRequest{UserId: "zoe"})
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]any{}
		for key, value := range user.GetTraits() {
			got[key] = value.AsInterface()
		}
		if !maps.Equal(got, want) || user.GetEventCounts()["identify"] != 5 || len(user.GetRecentItems()) != 1 {
			t.Errorf("traits %v of %v events, recent %v", got, user.GetEventCounts(), user.GetRecentItems())
		}
		var shown struct{ Traits map[string]any }
		s.get("/v1/visitors/phone", &shown)
		if !maps.Equal(shown.Traits, want) {
			t.Errorf("over REST %v", shown.Traits)
		}
		var events struct{ Events []map[string]any }
		s.get("/v1/users/zoe/events?type=Identify", &events)
		if len(events.Events) != 5 || events.Events[0]["event_id"] != "i5" || fmt.Sprint(events.Events[0]["attributes"]) != "map[birthday:1985-02-01]" {
			t.Errorf("events %v", events)
		}
	}
	check()
	for filter, some := range map[string]bool{
		`user.traits.country == "DE" && !user.traits.vip && user.traits.age > 18`: true,
		`user.traits.tier == "gold"`: false,
		`!has(user.traits.tier)`:     true,
	} {
		list, err := s.lists.Recommend(t.Context(), &attunev1.RecommendRequest{UserId: "zoe", Filter: filter})
		if err != nil || len(list.GetItems()) > 0 != some {
			t.Errorf("%s: %d items, %v", filter, len(list.GetItems()), err)
		}
	}
	s.close()
	s = open(t, where)
	check()
	s.close()
	report, err := server.Verify(t.Context(), server.VerifyConfig{StoreConfig: where})
	if err != nil || report.Differences() != 0 || report.History.Users != 42 {
		t.Errorf("verify: %+v, %v", report, err)
	}
}

// TestBadTraits are refused under the name of the trait, over both doors.
func TestBadTraits(t *testing.T) {
	s := open(t, folder(t.TempDir()))
	many := map[string]any{}
	for n := range 65 {
		many[fmt.Sprint("t", n)] = n
	}
	events := []*attunev1.Event{
		identify("attributes.list", "anna", 0, map[string]any{"list": []any{"a"}}),
		identify("attributes.object", "anna", 0, map[string]any{"a": 1, "object": map[string]any{}}),
		identify("attributes.text", "anna", 0, map[string]any{"text": strings.Repeat("x", 257)}),
		identify("attributes.no key", "anna", 0, map[string]any{"no key": true}),
		identify("attributes", "anna", 0, many),
	}
	body, err := protojson.Marshal(&attunev1.WriteRequest{Events: events})
	if err != nil {
		t.Fatal(err)
	}
	infinite := identify("attributes.number", "anna", 0, nil)
	infinite.Attributes.Fields = map[string]*structpb.Value{"number": structpb.NewNumberValue(math.Inf(1)), "a": structpb.NewNumberValue(1)}
	results, err := s.events.Write(t.Context(), &attunev1.WriteRequest{Events: append(slices.Clone(events), infinite)})
	if err != nil {
		t.Fatal(err)
	}
	code, data := s.call(http.MethodPost, "/v1/events:write", string(body))
	rest := &attunev1.WriteResponse{}
	if err := protojson.Unmarshal(data, rest); err != nil || code != http.StatusOK {
		t.Fatal(code, err)
	}
	for _, r := range append(results.GetResults(), rest.GetResults()...) {
		v := r.GetViolations()
		if r.GetStatus() != attunev1.EventStatus_REJECTED || len(v) != 1 || v[0].GetField() != r.GetEventId() || v[0].GetDescription() == "" {
			t.Errorf("%s: %v", r.GetEventId(), r)
		}
	}
	if n := len(results.GetResults()) + len(rest.GetResults()); n != 11 {
		t.Errorf("%d results", n)
	}
}

// TestTraitsThatExpired are left out, like all that is older than the horizon.
func TestTraitsThatExpired(t *testing.T) {
	where := folder(t.TempDir())
	s := open(t, where)
	if _, err := s.events.Write(t.Context(), &attunev1.WriteRequest{Events: []*attunev1.Event{
		identify("old", "zoe", 24*100, map[string]any{"country": "DE", "tier": "gold"}),
		identify("new", "zoe", 24, map[string]any{"tier": "silver"}),
	}}); err != nil {
		t.Fatal(err)
	}
	s.close()
	s = openWith(t, server.Config{StoreConfig: where, HistoryConfig: server.HistoryConfig{Retention: 2}})
	user, err := s.users.GetUser(t.Context(), &attunev1.GetUserRequest{UserId: "zoe"})
	if err != nil || len(user.GetTraits()) != 1 || user.GetTraits()["tier"].GetStringValue() != "silver" {
		t.Errorf("%v, %v", user.GetTraits(), err)
	}
}
