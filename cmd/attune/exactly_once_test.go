package main_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	attunev1 "github.com/attune-shop/attune/gen/attune/v1"
	"github.com/attune-shop/attune/store/testservers"
)

// TestExactlyOnceThroughKills streams a year of a real shop, or an invented history where
// its file is not there, twice, shuffled, with a fifth more duplicates, a third of which
// carry another time or none, while the server is killed 20 times. Every batch is sent
// until it is acknowledged, as a storefront would. In the end each distinct event counts
// once, and verify finds no difference.
func TestExactlyOnceThroughKills(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	distinct := realEvents(t)
	if distinct == nil {
		distinct = sampleEvents(random, 30_000, 1_500)
	}
	exactlyOnce(t, folder(t.TempDir()), 1, random, distinct)
}

// TestExactlyOnceThroughKillsOfReplicas does so with two servers on Redis and ScyllaDB, each
// batch to either, while one after the other is killed. Beside it a client tells each
// event once, whatever the answer: none of its acknowledged ones is missing.
func TestExactlyOnceThroughKillsOfReplicas(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	exactlyOnce(t, keyspace(t, testservers.Redis(t)), 2, random, sampleEvents(random, 20_000, 1_000))
}

// exactlyOnce is what those tests have in common.
func exactlyOnce(t *testing.T, where place, servers int, random *rand.Rand, distinct []*attunev1.Event) {
	deck := withDuplicates(random, distinct)
	r := serveReplicas(t, where, servers)
	var acked, next atomic.Int64
	const size, kills = 200, 20
	var senders, careless sync.WaitGroup
	for range 4 {
		senders.Go(func() {
			for {
				from := int(next.Add(size)) - size
				if from >= len(deck) {
					return
				}
				batch := deck[from:min(from+size, len(deck))]
				if err := sendUntilAcked(r.any, batch); err != nil {
					t.Error(err)
					return
				}
				acked.Add(int64(len(batch)))
			}
		})
	}
	told, ended := newCarelessClient(), make(chan struct{})
	careless.Go(func() { told.tell(t, r.any, ended) })
	for k := range kills {
		for acked.Load() < int64(len(deck)*(k+1)/(kills+1)) && !t.Failed() {
			time.Sleep(time.Millisecond)
		}
		r.kill(k % servers)
	}
	senders.Wait()
	close(ended)
	careless.Wait()

	type visitor struct{ user, anonymous, session string }
	want := map[visitor]int64{}
	for _, e := range distinct {
		switch {
		case e.GetUserId() != "":
			want[visitor{user: e.GetUserId()}]++
		case e.GetAnonymousId() != "":
			want[visitor{anonymous: e.GetAnonymousId()}]++
		default:
			want[visitor{session: e.GetSessionId()}]++
		}
	}
	for v, events := range want {
		if v.user == "" {
			continue
		}
		if got := r.any().count(t, v.user); got != events {
			t.Errorf("user %s: %d events counted, want %d", v.user, got, events)
		}
	}
	users, events := told.check(t, r.any())
	r.end()
	where.verifies(t, users+len(want), events+len(distinct))
}

// carelessClient tells each event once and never again.
type carelessClient struct {
	sent, acked map[string]int64
}

func newCarelessClient() *carelessClient {
	return &carelessClient{sent: map[string]int64{}, acked: map[string]int64{}}
}

// tell sends single events of a few users until ended.
func (c *carelessClient) tell(t *testing.T, server func() *service, ended chan struct{}) {
	for n := 0; ; n++ {
		select {
		case <-ended:
			return
		case <-time.After(2 * time.Millisecond):
		}
		user := fmt.Sprint("careless-", n%50)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		_, err := attunev1.NewEventServiceClient(server().conn).Write(ctx, &attunev1.WriteRequest{Events: []*attunev1.Event{{
			EventId: fmt.Sprint(n), Type: "view_item", UserId: user, ItemId: "lamp",
		}}})
		cancel()
		c.sent[user]++
		if err == nil {
			c.acked[user]++
		}
	}
}

// check compares what was acknowledged with what is known, and returns how much that is.
func (c *carelessClient) check(t *testing.T, s *service) (users, events int) {
	t.Helper()
	acked := int64(0)
	for user, sent := range c.sent {
		acked += c.acked[user]
		got := s.count(t, user)
		if got < c.acked[user] || got > sent {
			t.Errorf("%s: %d events counted, of %d that were sent and %d acknowledged", user, got, sent, c.acked[user])
		}
		if got > 0 {
			users++
		}
		events += int(got)
	}
	t.Logf("of events that were sent once, %d were acknowledged and %d are known", acked, events)
	return users, events
}
