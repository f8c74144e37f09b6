package main_test

import (
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	attunev1 "github.com/attune-shop/attune/gen/attune/v1"
	"github.com/attune-shop/attune/store/testservers"
)

// TestANodeOfThreeIsKilled kills one of three CQL nodes while events are written, and starts
// it again: every write is acknowledged, at the first try, and nothing is lost.
func TestANodeOfThreeIsKilled(t *testing.T) {
	cluster := testservers.StartCQLCluster(t, 3)
	where := newKeyspace(t, cluster.Redis, cluster.Nodes, 3)
	r := serveReplicas(t, where, 2)
	random := rand.New(rand.NewPCG(5, 6))
	const size = 50
	distinct := sampleEvents(random, 6_000, 500)
	deck := withDuplicates(random, distinct)
	var acked atomic.Int64
	batches := make(chan []*attunev1.Event)
	var senders sync.WaitGroup
	for range 8 {
		senders.Go(func() {
			for batch := range batches {
				_, err := attunev1.NewEventServiceClient(r.any().conn).Write(t.Context(), &attunev1.WriteRequest{Events: batch})
				if err != nil {
					t.Errorf("after %d events: %v", acked.Load(), err)
				}
				acked.Add(int64(len(batch)))
			}
		})
	}
	var node sync.WaitGroup
	n := 0
	for batch := range slices.Chunk(deck, size) {
		switch n++; n {
		case len(deck) / size / 4:
			cluster.Kill(2)
			t.Logf("node 2 is gone after %d events", acked.Load())
		case len(deck) / size / 2:
			node.Go(func() {
				cluster.Start(2)
				t.Logf("node 2 is back after %d events", acked.Load())
			})
		case len(deck) / size * 3 / 4:
			node.Wait()
		}
		batches <- batch
	}
	close(batches)
	senders.Wait()
	r.end()
	where.verifies(t, 500, len(distinct))
}
