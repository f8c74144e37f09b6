package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
)

// emptyCalls measures a unary call that does nothing, over loopback, as paced does.
func emptyCalls(ctx context.Context, clients int, rate float64, during time.Duration) (latencies, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	server := grpc.NewServer()
	grpc_health_v1.RegisterHealthServer(server, health.NewServer())
	go func() { _ = server.Serve(listener) }()
	defer server.Stop()
	conn, err := grpc.NewClient(listener.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	client := grpc_health_v1.NewHealthClient(conn)
	return paced(ctx, clients, rate, during, func(ctx context.Context, _ *rand.Rand) error {
		_, err := client.Check(ctx, &grpc_health_v1.HealthCheckRequest{})
		return err
	})
}

// rawCommits measures keys per second of synced Pebble batches of n values of 130 bytes.
func rawCommits(n int, during time.Duration) (float64, error) {
	dir, err := os.MkdirTemp("", "attune-bench-*")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	db, err := pebble.Open(dir, &pebble.Options{})
	if err != nil {
		return 0, err
	}
	defer db.Close()
	value := make([]byte, 130)
	began, keys := time.Now(), 0
	for time.Since(began) < during {
		batch := db.NewBatch()
		for range n {
			keys++
			if err := batch.Set(fmt.Appendf(nil, "%016x", rand.Uint64()), value, nil); err != nil {
				return 0, err
			}
		}
		if err := batch.Commit(pebble.Sync); err != nil {
			return 0, err
		}
	}
	return float64(keys) / time.Since(began).Seconds(), nil
}
