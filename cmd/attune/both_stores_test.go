package main_test

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/proto"

	attunev1 "github.com/attune-shop/attune/gen/attune/v1"
	"github.com/attune-shop/attune/server"
	"github.com/attune-shop/attune/store/testservers"
)

// TestOneShopOnBothStores imports a year of a real shop into a folder, and into Redis and
// ScyllaDB: what is known of every customer is the same, and so are the models that are
// trained from the same seed, to the byte, and the lists that they make.
func TestOneShopOnBothStores(t *testing.T) {
	file := retailFile()
	if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) {
		t.Skipf("%s is not there", file)
	}
	events := realEvents(t)
	users := map[string]bool{}
	for _, e := range events {
		if id := e.GetUserId(); id != "" {
			users[id] = true
		}
	}
	var shops []*grpc.ClientConn
	for _, where := range []server.StoreConfig{
		{Data: t.TempDir()},
		storesOf(keyspace(t, testservers.Redis(t))),
	} {
		shops = append(shops, openRetail(t, where, file))
	}
	same := func(name string, ask func(*grpc.ClientConn) (proto.Message, error)) {
		t.Helper()
		var answers [2][]byte
		for i, shop := range shops {
			answer, err := ask(shop)
			if err == nil {
				answers[i], err = proto.MarshalOptions{Deterministic: true}.Marshal(answer)
			}
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
		if !bytes.Equal(answers[0], answers[1]) {
			t.Errorf("%s is not the same", name)
		}
	}
	same("the model", func(shop *grpc.ClientConn) (proto.Message, error) {
		model, err := attunev1.NewModelServiceClient(shop).GetModel(t.Context(), &attunev1.GetModelRequest{Version: "active"})
		for _, e := range model.GetEvaluations() {
			e.FitSeconds = 0
		}
		return model, err
	})
	for id := range users {
		same("user "+id, func(shop *grpc.ClientConn) (proto.Message, error) {
			return attunev1.NewUserServiceClient(shop).GetUser(t.Context(), &attunev1.GetUserRequest{UserId: id})
		})
		same("list of "+id, func(shop *grpc.ClientConn) (proto.Message, error) {
			list, err := attunev1.NewRecommendationServiceClient(shop).Recommend(t.Context(), &attunev1.RecommendRequest{UserId: id, Explain: true})
			if err == nil {
				list.RecommendationId = "" // a new one for each list
			}
			return list, err
		})
	}
	t.Logf("%d events of %d customers: the same model, features and lists", len(events), len(users))
}

// storesOf is where a place is, for a server within this process.
func storesOf(where place) (config server.StoreConfig) {
	for i := 0; i < len(where); i += 2 {
		switch where[i] {
		case "--redis":
			config.Redis = []string{where[i+1]}
		case "--scylla":
			config.Scylla = strings.Split(where[i+1], ",")
		case "--keyspace":
			config.Keyspace = where[i+1]
		}
	}
	return config
}

// openRetail starts a server, whose time stands still, imports the file into it and trains.
func openRetail(t *testing.T, where server.StoreConfig, file string) *grpc.ClientConn {
	t.Helper()
	now := time.Date(2011, 12, 10, 0, 0, 0, 0, time.UTC)
	s, err := server.Start(t.Context(), server.Config{
		StoreConfig: where, GRPCAddr: "127.0.0.1:0", HTTPAddr: "127.0.0.1:0",
		Clock: func() time.Time { return now }, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	conn, err := grpc.NewClient(s.GRPCAddr(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, stop := context.WithTimeout(context.Background(), 10*time.Second)
		defer stop()
		if err := errors.Join(conn.Close(), s.Close(ctx)); err != nil {
			t.Error(err)
		}
	})
	for _, args := range [][]string{{"import", "online-retail", file}, {"train", "--algorithm", "als", "--seed", "7"}} {
		began := time.Now()
		if out, err := run(t, append(args, "--addr", s.GRPCAddr())...); err != nil {
			t.Fatalf("%s: %v: %s", args[0], err, out)
		}
		t.Logf("%s took %v", args[0], time.Since(began).Round(time.Millisecond))
	}
	return conn
}
