// Package e2e_test tries the whole server, as it is wired, through its two doors.
package e2e_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/timestamppb"

	attunev1 "github.com/attune-shop/attune/gen/attune/v1"
	"github.com/attune-shop/attune/server"
	"github.com/attune-shop/attune/store/testservers"
)

// Pebble leaves a ticker behind where it cannot open a folder, as one that is held already.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("github.com/cockroachdb/pebble/v2/vfs.(*diskHealthCheckingFS).startTickerLocked.func1"))
}

// noon is when the servers' clocks start.
var noon = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

// shop is a running server and its clients.
type shop struct {
	t      testing.TB
	server *server.Server
	conn   *grpc.ClientConn
	http   *http.Client
	events attunev1.EventServiceClient
	items  attunev1.CatalogServiceClient
	lists  attunev1.RecommendationServiceClient
	users  attunev1.UserServiceClient
	models attunev1.ModelServiceClient
}

// folder is the stores in a folder.
func folder(dir string) server.StoreConfig { return server.StoreConfig{Data: dir} }

// everywhere runs a test on a folder, and on Redis and ScyllaDB in a keyspace of its own.
func everywhere(t *testing.T, run func(t *testing.T, where server.StoreConfig)) {
	t.Run("folder", func(t *testing.T) { run(t, folder(t.TempDir())) })
	t.Run("redis and scylla", func(t *testing.T) { run(t, keyspace(t)) })
}

// keyspace makes stores in Redis and ScyllaDB, in a keyspace of their own.
func keyspace(t testing.TB) server.StoreConfig {
	t.Helper()
	where := server.StoreConfig{
		Redis:        []string{testservers.Redis(t)},
		ScyllaConfig: server.ScyllaConfig{Scylla: testservers.CQL(t), Keyspace: testservers.KeyspaceName()},
	}
	making := server.MigrateConfig{ScyllaConfig: where.ScyllaConfig, Replication: 1, Shards: 4}
	if err := server.Migrate(t.Context(), making, slog.New(slog.DiscardHandler), io.Discard); err != nil {
		t.Fatal(err)
	}
	return where
}

// open starts a server on stores, on free ports, until the end of the test.
func open(t testing.TB, where server.StoreConfig) *shop {
	t.Helper()
	return openWith(t, server.Config{StoreConfig: where})
}

// openWith starts a server with a configuration but for its addresses, clock and log.
func openWith(t testing.TB, cfg server.Config) *shop {
	t.Helper()
	cfg.GRPCAddr, cfg.HTTPAddr, cfg.Now = "127.0.0.1:0", "127.0.0.1:0", noon
	cfg.Logger = slog.New(slog.DiscardHandler)
	s := &shop{t: t, http: &http.Client{Transport: &http.Transport{}, Timeout: time.Minute}}
	var err error
	if s.server, err = server.Start(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	s.conn, err = grpc.NewClient(s.server.GRPCAddr(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	s.events, s.items = attunev1.NewEventServiceClient(s.conn), attunev1.NewCatalogServiceClient(s.conn)
	s.lists, s.users = attunev1.NewRecommendationServiceClient(s.conn), attunev1.NewUserServiceClient(s.conn)
	s.models = attunev1.NewModelServiceClient(s.conn)
	t.Cleanup(s.close)
	return s
}

func (s *shop) close() {
	if s.server == nil {
		return
	}
	s.http.CloseIdleConnections()
	if err := s.conn.Close(); err != nil {
		s.t.Error(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := s.server.Close(ctx); err != nil {
		s.t.Error(err)
	}
	s.server = nil
}

// fill gives the shop a catalog, visitors with a history, a dead letter and a model.
func (s *shop) fill() {
	s.t.Helper()
	var items []*attunev1.Item
	for n := range 20 {
		items = append(items, &attunev1.Item{
			ItemId: fmt.Sprint("item-", n), Title: fmt.Sprint("Lamp ", n), Brand: fmt.Sprint("Brand ", n%3),
			Categories: []string{fmt.Sprint("Home > Room ", n%4)}, Price: &attunev1.Money{CurrencyCode: "EUR", MinorUnits: int64(100 * (n + 1))},
		})
	}
	items = append(items, &attunev1.Item{ItemId: "gone"})
	if _, err := s.items.UpsertItems(s.t.Context(), &attunev1.UpsertItemsRequest{Items: items}); err != nil {
		s.t.Fatal(err)
	}
	var events []*attunev1.Event
	for n := range 400 {
		events = append(events, &attunev1.Event{
			EventId: fmt.Sprint("e", n), Type: "view_item", UserId: fmt.Sprint("user-", n%40), ItemId: fmt.Sprint("item-", (n*n+n/7)%20),
			OccurredAt: timestamppb.New(noon.Add(-time.Duration(n) * time.Hour)),
		})
	}
	events = append(events,
		&attunev1.Event{EventId: "bad"},
		&attunev1.Event{EventId: "link", Type: "page_view", UserId: "user-1", AnonymousId: "cookie"},
		purchase("p1", "user-1", "item-1"), purchase("p2", "user-1", "item-1"))
	if _, err := s.events.Write(s.t.Context(), &attunev1.WriteRequest{Events: events}); err != nil {
		s.t.Fatal(err)
	}
	s.train()
}

func (s *shop) train() {
	s.t.Helper()
	training, err := s.models.Train(s.t.Context(), &attunev1.TrainRequest{Algorithm: "item_knn"})
	for err == nil {
		_, err = training.Recv()
	}
	if !errors.Is(err, io.EOF) {
		s.t.Fatal(err)
	}
}

func view(id, user, item string) *attunev1.Event {
	return &attunev1.Event{EventId: id, Type: "view_item", UserId: user, ItemId: item, OccurredAt: timestamppb.New(noon)}
}

func purchase(id, user, item string) *attunev1.Event {
	return &attunev1.Event{
		EventId: id, Type: "purchase", UserId: user,
		Lines: []*attunev1.Line{{ItemId: item, Price: &attunev1.Money{CurrencyCode: "EUR", MinorUnits: 500}}},
	}
}

// call sends a request to a REST route and returns the status code and the body.
func (s *shop) call(method, path, body string) (int, []byte) {
	s.t.Helper()
	request, err := http.NewRequestWithContext(s.t.Context(), method, "http://"+s.server.HTTPAddr()+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	response, err := s.http.Do(request)
	if err != nil {
		s.t.Fatal(err)
	}
	defer response.Body.Close()
	data, err := io.ReadAll(response.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return response.StatusCode, data
}

// get reads JSON from a REST route that must answer 200.
func (s *shop) get(path string, into any) {
	s.t.Helper()
	code, data := s.call(http.MethodGet, path, "")
	if code != http.StatusOK {
		s.t.Fatalf("GET %s: %d %s", path, code, data)
	}
	if err := json.NewDecoder(bytes.NewReader(data)).Decode(into); err != nil {
		s.t.Fatalf("GET %s: %v: %s", path, err, data)
	}
}
