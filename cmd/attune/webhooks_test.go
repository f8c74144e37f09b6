package main_test

import (
	"context"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	attunev1 "github.com/attune-shop/attune/gen/attune/v1"
	"github.com/attune-shop/attune/server/webhook/webhooktest"
	"github.com/attune-shop/attune/store/testservers"
)

// TestWebhooksThroughKills has users enter and leave segments all the time, while the server is
// killed 12 times, each time after it has delivered some of that to a receiver that fails. What the
// receiver takes, once repeats are left out, is of each user and segment what watchers see, in order.
// What is published when all are killed at last is by the rules, but of whom a server looks at again.
func TestWebhooksThroughKills(t *testing.T) {
	webhooksThroughKills(t, folder(t.TempDir()), 1, make([]int, 11), 20)
}

// TestWebhooksThroughKillsOfReplicas does so with two servers on Redis and ScyllaDB: the one that
// delivers sees the other killed ten times, and after the end of both another goes on once its lease ends.
func TestWebhooksThroughKillsOfReplicas(t *testing.T) {
	webhooksThroughKills(t, keyspace(t, testservers.Redis(t)), 2, slices.Repeat([]int{1}, 10), 5)
}

// webhooksThroughKills kills those servers one after the other, each once so many more deliveries are taken.
func webhooksThroughKills(t *testing.T, where place, servers int, kills []int, each int) {
	r := serveReplicas(t, slices.Concat(where, place{"--webhook-allow-private"}), servers)
	watching, stop := context.WithCancel(t.Context())
	var watchers, sender sync.WaitGroup
	var watches []*watcher
	for id, rule := range map[string]string{
		"odd":    "event_counts['view_item'] % 2 == 1",
		"thirds": "event_counts['view_item'] % 3 == 0",
		"away":   "last_seen.age > duration('1s')",
	} {
		_, err := attunev1.NewSegmentServiceClient(r.any().conn).CreateSegment(t.Context(), &attunev1.CreateSegmentRequest{SegmentId: id, Rule: rule})
		if err != nil {
			t.Fatal(err)
		}
		w := newWatcher(id)
		watches = append(watches, w)
		watchers.Go(func() { w.follow(watching, t, r.any) })
	}
	shop := webhooktest.Receive(t, failing())
	made, err := attunev1.NewWebhookServiceClient(r.any().conn).CreateWebhook(t.Context(), &attunev1.CreateWebhookRequest{WebhookId: "shop", Url: shop.URL})
	if err != nil {
		t.Fatal(err)
	}
	shop.SetSecret(made.GetSecret())

	client, ended := newCarelessClient(), make(chan struct{})
	sender.Go(func() { client.tell(t, r.any, ended) })
	delivers := func(what string) {
		before := shop.Taken()
		webhooktest.Eventually(t, what, func() bool { return shop.Taken() >= before+each })
	}
	for _, server := range kills {
		delivers("some deliveries before a kill")
		r.kill(server)
	}
	r.killAll(func() { where.verifiesSegments(t, len(watches)) })
	delivers("some deliveries after the last kill")
	close(ended)
	sender.Wait()
	shop.SetAnswer(webhooktest.Always(http.StatusOK))
	for user := range client.sent {
		webhooktest.Eventually(t, "everything of "+user, func() bool { return sameChanges(watches, shop, user) })
	}
	deliveries, tries, repeats, changes := len(shop.Tries()), 0, 0, int64(0)
	for _, n := range shop.Tries() {
		tries += n
		repeats = max(repeats, n)
	}
	for _, w := range watches {
		changes += w.changes.Load()
	}
	t.Logf("%d changes in %d deliveries, which took %d tries, %d of one", changes, deliveries, tries, repeats)
	stop()
	watchers.Wait()
	r.end()
}

// failing refuses some tries, hangs at a few, and takes some deliveries without saying so.
func failing() webhooktest.Answer {
	random := rand.New(rand.NewPCG(9, 10))
	return func(*webhooktest.Delivery) int {
		switch n := random.IntN(100); {
		case n < 15:
			return http.StatusInternalServerError
		case n < 30:
			return webhooktest.Lose
		case n < 32:
			return webhooktest.Hang
		}
		return http.StatusOK
	}
}

// changeText is a change of a user and a segment.
func changeText(what string, at time.Time) string {
	return what + " " + at.UTC().Format(time.RFC3339Nano)
}

// sameChanges tells whether what a receiver took of a user is, segment by segment, what watchers saw,
// and whether the user has been away at last, which is when nothing changes any more.
func sameChanges(watches []*watcher, shop *webhooktest.Receiver, user string) bool {
	taken := map[string][]string{}
	last := time.Time{}
	for _, c := range shop.Changes(user) {
		if c.OccurredAt.Before(last) {
			return false
		}
		last = c.OccurredAt
		taken[c.SegmentID] = append(taken[c.SegmentID], changeText(c.Type, c.OccurredAt))
	}
	for _, w := range watches {
		w.mu.Lock()
		same := slices.Equal(taken[w.id], w.told[user]) && (w.id != "away" || w.members[user])
		w.mu.Unlock()
		if !same {
			return false
		}
	}
	return true
}
