package main_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"

	"google.golang.org/protobuf/types/known/timestamppb"

	attunev1 "github.com/attune-shop/attune/gen/attune/v1"
	"github.com/attune-shop/attune/store/testservers"
)

// TestTwoReplicasWriteTheSameUsers sends 1,000 events of each of 100 users to both of two
// servers at once, in other batches: every event counts once.
func TestTwoReplicasWriteTheSameUsers(t *testing.T) {
	const users, each, size = 100, 1000, 500
	where := keyspace(t, testservers.Redis(t))
	r := serveReplicas(t, where, 2)
	var events []*attunev1.Event
	for n := range users * each {
		events = append(events, &attunev1.Event{
			EventId: fmt.Sprint(n / users), Type: "view_item", UserId: fmt.Sprint("user-", n%users), ItemId: fmt.Sprint("item-", n%37),
			OccurredAt: timestamppb.Now(),
		})
	}
	var sending sync.WaitGroup
	for replica := range r.running {
		server := func() *service { return r.running[replica].Load() }
		batches := make(chan []*attunev1.Event)
		sending.Go(func() {
			defer close(batches)
			// The second one begins with half a batch, so that no two are the same.
			first := size / (replica + 1)
			batches <- events[:first]
			for batch := range slices.Chunk(events[first:], size) {
				batches <- batch
			}
		})
		for range 4 {
			sending.Go(func() {
				for batch := range batches {
					if err := sendUntilAcked(server, batch); err != nil {
						t.Error(err)
					}
				}
			})
		}
	}
	sending.Wait()
	for n := range users {
		user := fmt.Sprint("user-", n)
		for i := range r.running {
			if got := r.running[i].Load().count(t, user); got != each {
				t.Errorf("server %d counts %d events of %s, want %d", i, got, user, each)
			}
		}
	}
	r.end()
	where.verifies(t, users, users*each)
}
