package main_test

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	attunev1 "github.com/attune-shop/attune/gen/attune/v1"
	"github.com/attune-shop/attune/store/testservers"
)

// watchedRules are of every kind: of counts, of windows, of what time alone changes, of affinity,
// of scores, and of those who did nothing that the rule reads.
var watchedRules = map[string]string{
	"buyers":   "event_counts['purchase'] >= 5",
	"wishing":  "event_counts['add_to_wishlist'] == 0 && event_counts['purchase'] == 0",
	"recently": "purchases.d30 >= 2 && spent.exists(s, s.currency_code == 'EUR' && s.all > 5000)",
	"champion": "rfm.class == 'champions' || rfm.frequency >= 4",
	"gone":     "last_seen.age > duration('1440h')",
	"quiet":    "now - last_seen_at > duration('4s') && user_id.startsWith('careless')",
	"first":    "recent_items.exists(r, r.item_id == 'item-7')",
}

// TestSegmentsThroughKills streams a history in while the server is killed 20 times. What watchers
// fold from the first change on, through broken connections, is at every change a member that
// enters or one that leaves, and in the end who is in by what is known of everybody.
func TestSegmentsThroughKills(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	segmentsThroughKills(t, folder(t.TempDir()), 1, random, sampleEvents(random, 15_000, 1_500))
}

// TestSegmentsThroughKillsOfReplicas does so with two servers on Redis and ScyllaDB.
func TestSegmentsThroughKillsOfReplicas(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 8))
	segmentsThroughKills(t, keyspace(t, testservers.Redis(t)), 2, random, sampleEvents(random, 8_000, 800))
}

func segmentsThroughKills(t *testing.T, where place, servers int, random *rand.Rand, distinct []*attunev1.Event) {
	deck := withDuplicates(random, distinct)
	r := serveReplicas(t, where, servers)
	watching, stop := context.WithCancel(t.Context())
	var watchers, senders, careless sync.WaitGroup
	watches := map[string]*watcher{}
	for _, id := range slices.Sorted(maps.Keys(watchedRules)) {
		_, err := attunev1.NewSegmentServiceClient(r.any().conn).CreateSegment(t.Context(), &attunev1.CreateSegmentRequest{
			SegmentId: id, Rule: watchedRules[id],
		})
		if err != nil {
			t.Fatalf("%s: %v", id, err)
		}
		w := newWatcher(id)
		watches[id] = w
		watchers.Go(func() { w.follow(watching, t, r.any) })
	}
	var acked, next atomic.Int64
	const size, kills = 100, 20
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
	ended := make(chan struct{})
	careless.Go(func() { newCarelessClient().tell(t, r.any, ended) })
	for k := range kills {
		for acked.Load() < int64(len(deck)*(k+1)/(kills+1)) && !t.Failed() {
			time.Sleep(time.Millisecond)
		}
		r.kill(k % servers)
	}
	senders.Wait()
	close(ended)
	careless.Wait()

	users := map[string]bool{}
	for _, e := range distinct {
		users[e.GetUserId()] = true
	}
	for n := range 50 {
		users[fmt.Sprint("careless-", n)] = true
	}
	ids := slices.Sorted(maps.Keys(users))
	deadline := time.Now().Add(90 * time.Second) // another server takes over once a lease has run out
	for id, w := range watches {
		for {
			want, published := r.any().members(t, id, ids), r.any().published(t, id)
			if got := w.folded(); maps.Equal(got, want) && maps.Equal(published, want) {
				t.Logf("%s: %d members after %d changes", id, len(want), w.changes.Load())
				break
			}
			if time.Now().After(deadline) {
				t.Errorf("%s: %d watched, %d published, %d are by what is known of them", id, len(w.folded()), len(published), len(want))
				break
			}
			time.Sleep(100 * time.Millisecond)
		}
	}
	stop()
	watchers.Wait()
	r.end()
	where.verifiesSegments(t, len(watchedRules))
}

// watcher folds the changes of a segment.
type watcher struct {
	id      string
	changes atomic.Int64

	mu      sync.Mutex
	members map[string]bool
	told    map[string][]string // of each user, as it came
}

func newWatcher(id string) *watcher {
	return &watcher{id: id, members: map[string]bool{}, told: map[string][]string{}}
}

func (w *watcher) folded() map[string]bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return maps.Clone(w.members)
}

// follow watches from the first change on, and after the last cursor where a connection breaks.
func (w *watcher) follow(ctx context.Context, t *testing.T, server func() *service) {
	cursor := ""
	for ctx.Err() == nil {
		stream, err := attunev1.NewSegmentServiceClient(server().conn).WatchSegment(ctx, &attunev1.WatchSegmentRequest{
			SegmentId: w.id, Cursor: cursor, Start: attunev1.WatchStart_BEGINNING,
		})
		var response *attunev1.WatchSegmentResponse
		for err == nil {
			if response, err = stream.Recv(); err == nil {
				w.take(t, response)
				cursor = response.GetCursor()
			}
		}
		switch code := status.Code(err); code {
		case codes.Unavailable, codes.Canceled, codes.DeadlineExceeded:
		default:
			t.Errorf("%s: %v", w.id, err)
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func (w *watcher) take(t *testing.T, response *attunev1.WatchSegmentResponse) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range response.GetChanges() {
		w.changes.Add(1)
		w.told[c.GetUserId()] = append(w.told[c.GetUserId()], changeText(c.GetType().String(), c.GetOccurredAt().AsTime()))
		entered := c.GetType() == attunev1.MembershipChangeType_ENTERED
		if entered == w.members[c.GetUserId()] {
			t.Errorf("%s: %s %v once more", w.id, c.GetUserId(), c.GetType())
		}
		if entered {
			w.members[c.GetUserId()] = true
		} else {
			delete(w.members, c.GetUserId())
		}
	}
}

// members returns those users who are in a segment by what is known of them now.
func (s *service) members(t *testing.T, id string, users []string) map[string]bool {
	t.Helper()
	in := map[string]bool{}
	for chunk := range slices.Chunk(users, 1000) {
		response, err := attunev1.NewSegmentServiceClient(s.conn).CheckMembership(t.Context(), &attunev1.CheckMembershipRequest{
			UserIds: chunk, SegmentIds: []string{id},
		})
		if err != nil {
			t.Fatalf("check: %v", err)
		}
		for _, m := range response.GetMemberships() {
			if len(m.GetSegmentIds()) > 0 {
				in[m.GetUserId()] = true
			}
		}
	}
	return in
}

// published returns the members of a segment, page by page, whose number is its size.
func (s *service) published(t *testing.T, id string) map[string]bool {
	t.Helper()
	client := attunev1.NewSegmentServiceClient(s.conn)
	in := map[string]bool{}
	for request := (&attunev1.ListMembersRequest{SegmentId: id, PageSize: 400}); ; {
		page, err := client.ListMembers(t.Context(), request)
		if err != nil {
			t.Fatalf("members: %v", err)
		}
		for _, m := range page.GetMembers() {
			if in[m.GetUserId()] {
				t.Errorf("%s is on two pages of %s", m.GetUserId(), id)
			}
			in[m.GetUserId()] = true
		}
		if request.PageToken = page.GetNextPageToken(); request.PageToken == "" {
			return in
		}
	}
}

// TestMembershipReadsYourWrites writes the event that makes somebody a member and checks at once,
// 10,000 times.
func TestMembershipReadsYourWrites(t *testing.T) {
	s := serve(t, folder(t.TempDir()))
	defer s.stop(t)
	events, segments := attunev1.NewEventServiceClient(s.conn), attunev1.NewSegmentServiceClient(s.conn)
	for n := range 40 {
		_, err := segments.CreateSegment(t.Context(), &attunev1.CreateSegmentRequest{
			SegmentId: fmt.Sprint("bought-", n+1), Rule: fmt.Sprintf("event_counts['purchase'] == %d", n+1),
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	const visitors, each = 250, 40
	var running sync.WaitGroup
	for worker := range 8 {
		running.Go(func() {
			for v := worker; v < visitors; v += 8 {
				user := fmt.Sprint("visitor-", v)
				for i := range each {
					_, err := events.Write(t.Context(), &attunev1.WriteRequest{Events: []*attunev1.Event{{
						EventId: fmt.Sprint(i), Type: "purchase", UserId: user, Lines: []*attunev1.Line{{ItemId: "lamp"}},
					}}})
					if err != nil {
						t.Error(err)
						return
					}
					in, err := segments.ListUserSegments(t.Context(), &attunev1.ListUserSegmentsRequest{UserId: user})
					if want := []string{fmt.Sprint("bought-", i+1)}; err != nil || !slices.Equal(in.GetSegmentIds(), want) {
						t.Errorf("%s after purchase %d is in %v: %v", user, i+1, in.GetSegmentIds(), err)
						return
					}
				}
			}
		})
	}
	running.Wait()
}
