package main_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/attune-shop/attune/cmd/attune/internal/importer"
	attunev1 "github.com/attune-shop/attune/gen/attune/v1"
	"github.com/attune-shop/attune/store/storetest"
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
	exactlyOnce(t, keyspace(t, storetest.Redis(t)), 2, random, sampleEvents(random, 20_000, 1_000))
}

// replicas are running servers over the same stores.
type replicas struct {
	t       *testing.T
	where   place
	running []atomic.Pointer[service]
}

func serveReplicas(t *testing.T, where place, n int) *replicas {
	t.Helper()
	r := &replicas{t: t, where: where, running: make([]atomic.Pointer[service], n)}
	for i := range r.running {
		r.running[i].Store(serve(t, where))
	}
	return r
}

// any returns one of them.
func (r *replicas) any() *service { return r.running[rand.IntN(len(r.running))].Load() }

// kill ends one at once, and starts it anew.
func (r *replicas) kill(i int) {
	r.t.Helper()
	if err := r.running[i].Load().end(syscall.SIGKILL); err != nil {
		r.t.Fatal(err)
	}
	r.running[i].Store(serve(r.t, r.where))
}

// end ends them as an operator does.
func (r *replicas) end() {
	r.t.Helper()
	for i := range r.running {
		if err := r.running[i].Load().end(os.Interrupt); err != nil {
			r.t.Errorf("a server ended with %v", err)
		}
	}
}

// count returns how many events are known of a user.
func (s *service) count(t *testing.T, id string) (events int64) {
	t.Helper()
	user, err := attunev1.NewUserServiceClient(s.conn).GetUser(t.Context(), &attunev1.GetUserRequest{UserId: id})
	if status.Code(err) == codes.NotFound {
		return 0
	}
	if err != nil {
		t.Fatalf("user %s: %v", id, err)
	}
	for _, n := range user.GetEventCounts() {
		events += n
	}
	return events
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

// realEvents reads Online Retail, nil where it is not there.
func realEvents(t *testing.T) []*attunev1.Event {
	path := filepath.Join(cmp.Or(os.Getenv("ATTUNE_TEST_DATA"), "../../../shared/data"), "online-retail", "online_retail.csv.gz")
	file, err := importer.OpenFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		t.Logf("%s is not there: an invented history takes its place", path)
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	source, err := importer.NewSource(importer.OnlineRetail, file, nil)
	if err != nil {
		t.Fatal(err)
	}
	var events []*attunev1.Event
	for {
		record, err := source.Next()
		if errors.Is(err, io.EOF) {
			t.Logf("%d events of %d lines", len(events), source.Lines())
			return events
		}
		if err != nil {
			t.Fatal(err)
		}
		events = append(events, record.Event)
	}
}

// sampleEvents makes n events of distinct ids.
func sampleEvents(random *rand.Rand, n, users int) []*attunev1.Event {
	start := time.Now().Add(-90 * 24 * time.Hour)
	types := []string{"view_item", "add_to_cart", "add_to_wishlist"}
	events := make([]*attunev1.Event, n)
	for i := range events {
		events[i] = &attunev1.Event{
			EventId:    fmt.Sprintf("event-%d", i),
			Type:       types[random.IntN(len(types))],
			UserId:     fmt.Sprintf("user-%d", random.IntN(users)),
			ItemId:     fmt.Sprintf("item-%d", random.IntN(500)),
			OccurredAt: timestamppb.New(start.Add(time.Duration(random.Int64N(int64(80 * 24 * time.Hour))))),
		}
		if i%5 == 0 {
			events[i].Type, events[i].ItemId = "purchase", ""
			events[i].Lines = []*attunev1.Line{{ItemId: "item-1", Quantity: proto.Int64(2), Price: &attunev1.Money{CurrencyCode: "EUR", MinorUnits: 1250}}}
		}
	}
	return events
}

// withDuplicates returns the events twice and a fifth of them once more, in random order.
func withDuplicates(random *rand.Rand, distinct []*attunev1.Event) []*attunev1.Event {
	deck := append(append([]*attunev1.Event{}, distinct...), distinct...)
	for i := range len(distinct) / 5 {
		again := proto.CloneOf(distinct[random.IntN(len(distinct))])
		switch i % 6 {
		case 0:
			again.OccurredAt = nil
		case 1:
			again.OccurredAt = timestamppb.New(again.GetOccurredAt().AsTime().Add(-time.Hour))
		}
		deck = append(deck, again)
	}
	random.Shuffle(len(deck), func(i, j int) { deck[i], deck[j] = deck[j], deck[i] })
	return deck
}

// sendUntilAcked repeats a batch until one of the servers that run by then acknowledges it.
func sendUntilAcked(server func() *service, batch []*attunev1.Event) error {
	for deadline := time.Now().Add(2 * time.Minute); ; {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		response, err := attunev1.NewEventServiceClient(server().conn).Write(ctx, &attunev1.WriteRequest{Events: batch})
		cancel()
		if err == nil {
			for _, result := range response.GetResults() {
				if s := result.GetStatus(); s != attunev1.EventStatus_ACCEPTED && s != attunev1.EventStatus_DUPLICATE {
					return fmt.Errorf("event %s: %v %v", result.GetEventId(), s, result.GetViolations())
				}
			}
			return nil
		}
		if code := status.Code(err); code != codes.Unavailable && code != codes.Canceled && code != codes.DeadlineExceeded || time.Now().After(deadline) {
			return err
		}
		time.Sleep(5 * time.Millisecond)
	}
}
