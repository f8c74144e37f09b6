package e2e_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	attunev1 "github.com/attune-shop/attune/gen/attune/v1"
	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/server"
)

// TestAnEventInAListOut: an event comes in over gRPC, and the visitor's features and list,
// asked for over REST, know it; also after a restart.
func TestAnEventInAListOut(t *testing.T) { everywhere(t, testAnEventInAListOut) }

func testAnEventInAListOut(t *testing.T, where server.StoreConfig) {
	s := open(t, where)
	s.fill()
	if _, err := s.events.Write(t.Context(), &attunev1.WriteRequest{Events: []*attunev1.Event{view("new", "zoe", "item-2")}}); err != nil {
		t.Fatal(err)
	}
	check := func() {
		t.Helper()
		var user struct {
			EventCounts map[string]string  `json:"event_counts"`
			Brands      map[string]float64 `json:"brand_affinity"`
		}
		s.get("/v1/users/zoe", &user)
		if user.EventCounts["view_item"] != "1" || user.Brands["Brand 2"] != 1 {
			t.Errorf("features %+v", user)
		}
		var events struct{ Events []map[string]any }
		s.get("/v1/users/zoe/events", &events)
		if len(events.Events) != 1 || events.Events[0]["event_id"] != "new" {
			t.Errorf("events %v", events)
		}
		var list struct {
			ID    string `json:"recommendation_id"`
			Model string `json:"model_version"`
			Items []struct {
				ID      string `json:"item_id"`
				Reasons []map[string]any
			}
		}
		s.get("/v1/users/zoe/recommendations?limit=5&explain=true&exclude_seen=true", &list)
		if len(list.Items) != 5 || list.ID == "" || list.Model == "" {
			t.Fatalf("list %+v", list)
		}
		for _, item := range list.Items {
			if item.ID == "item-2" || item.ID == "gone" && len(item.Reasons) == 0 {
				t.Errorf("listed %+v", item)
			}
		}
		if first := list.Items[0]; len(first.Reasons) == 0 || first.Reasons[0]["event_id"] != "new" {
			t.Errorf("not for the event that is known: %+v", first)
		}
	}
	check()
	s.close()
	s = open(t, where)
	check()
	s.close()
	report, err := server.Verify(t.Context(), server.VerifyConfig{StoreConfig: where})
	if err != nil || report.Differences() != 0 || report.History.Users != 41 || report.History.Events != 404 {
		t.Errorf("verify: %+v, %v", report, err)
	}
}

func TestIDsOfAllKindsInPaths(t *testing.T) { everywhere(t, testIDsOfAllKindsInPaths) }

func testIDsOfAllKindsInPaths(t *testing.T, where server.StoreConfig) {
	s := open(t, where)
	for escaped, id := range map[string]string{
		"plain": "plain", "a%2Fb": "a/b", "a%2f%2Fb": "a//b", "100%25": "100%", "a%20b": "a b", "a+b": "a+b", "%C3%A9": "é",
		"a:b": "a:b", "%252F": "%2F", "..%2F..": "../..", "x:similar": "x:similar",
	} {
		if _, err := s.items.UpsertItems(t.Context(), &attunev1.UpsertItemsRequest{Items: []*attunev1.Item{{ItemId: id}}}); err != nil {
			t.Fatal(err)
		}
		var item map[string]any
		s.get("/v1/items/"+escaped, &item)
		if item["item_id"] != id {
			t.Errorf("%s: %v, want %q", escaped, item["item_id"], id)
		}
	}
}

func TestHealth(t *testing.T) {
	s := open(t, folder(t.TempDir()))
	health := grpc_health_v1.NewHealthClient(s.conn)
	for _, service := range []string{"", "attune.v1.EventService", "attune.v1.RecommendationService"} {
		answer, err := health.Check(t.Context(), &grpc_health_v1.HealthCheckRequest{Service: service})
		if err != nil || answer.GetStatus() != grpc_health_v1.HealthCheckResponse_SERVING {
			t.Errorf("%q: %v, %v", service, answer, err)
		}
	}
	for _, path := range []string{"/healthz", "/readyz", "/openapi.json", "/docs/", "/"} {
		if code, body := s.call(http.MethodGet, path, ""); code != http.StatusOK || len(body) == 0 {
			t.Errorf("%s: %d %s", path, code, body)
		}
	}
	for path, want := range map[string]int{"/v1/nothing": 404, "/nothing": 404, "/v1/items": 405} {
		if code, body := s.call(http.MethodPut, path, "{}"); code != want && code != 405 {
			t.Errorf("PUT %s: %d %s", path, code, body)
		}
	}
}

// TestTheFolderHasOneServer: a second one is refused, and says why.
func TestTheFolderHasOneServer(t *testing.T) {
	dir := t.TempDir()
	open(t, folder(dir))
	_, err := server.Start(t.Context(), server.Config{StoreConfig: folder(dir), GRPCAddr: "127.0.0.1:0", HTTPAddr: "127.0.0.1:0"})
	if !errors.Is(err, event.ErrLocked) || !strings.Contains(err.Error(), dir) {
		t.Errorf("a second server: %v", err)
	}
	if _, err := server.Verify(t.Context(), server.VerifyConfig{StoreConfig: folder(dir)}); !errors.Is(err, event.ErrLocked) {
		t.Errorf("verify beside a server: %v", err)
	}
	if _, err := server.Verify(t.Context(), server.VerifyConfig{StoreConfig: folder(dir + "/missing")}); err == nil {
		t.Error("verify of a folder that is not there")
	}
}

// TestBadSettings are refused before anything is opened, and an address in use after.
func TestBadSettings(t *testing.T) {
	taken := open(t, folder(t.TempDir()))
	for name, cfg := range map[string]server.Config{
		"data":      {},
		"retention": {StoreConfig: folder("x"), HistoryConfig: server.HistoryConfig{Retention: -1}},
		"weights":   {StoreConfig: folder("x"), HistoryConfig: server.HistoryConfig{Weights: map[string]float64{"x": nan()}}},
		"gRPC":      {StoreConfig: folder(t.TempDir()), GRPCAddr: taken.server.GRPCAddr(), HTTPAddr: "127.0.0.1:0"},
		"HTTP":      {StoreConfig: folder(t.TempDir()), GRPCAddr: "127.0.0.1:0", HTTPAddr: taken.server.HTTPAddr()},
	} {
		s, err := server.Start(t.Context(), cfg)
		if err == nil {
			_ = s.Close(t.Context())
		}
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func nan() float64 { zero := 0.0; return zero / zero }

// TestEndWithAnOpenStream: a stream that idles does not hold the server up, and is told.
func TestEndWithAnOpenStream(t *testing.T) { everywhere(t, testEndWithAnOpenStream) }

func testEndWithAnOpenStream(t *testing.T, where server.StoreConfig) {
	s := open(t, where)
	stream, err := s.events.Stream(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Send(&attunev1.StreamRequest{BatchId: "1", Events: []*attunev1.Event{view("a", "anna", "lamp")}}); err != nil {
		t.Fatal(err)
	}
	if answer, err := stream.Recv(); err != nil || answer.GetBatchId() != "1" {
		t.Fatal(answer, err)
	}
	began := time.Now()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := s.server.Close(ctx); err != nil {
		t.Error(err)
	}
	if _, err := stream.Recv(); status.Code(err) != codes.Unavailable {
		t.Errorf("the stream ended with %v", err)
	}
	if took := time.Since(began); took > 30*time.Second {
		t.Errorf("the end took %v", took)
	}
	s.server = nil
	_ = s.conn.Close()
}
