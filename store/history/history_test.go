package history_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/store"
	"github.com/attune-shop/attune/store/embedded"
	"github.com/attune-shop/attune/store/history"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// shop is a store in a folder with the history on it.
type shop struct {
	t      *testing.T
	dir    string
	wrap   func(store.Stores) store.Stores
	stores store.Stores
	*history.History
}

func open(t *testing.T) *shop {
	s := &shop{t: t, dir: t.TempDir(), wrap: func(s store.Stores) store.Stores { return s }}
	s.reopen()
	t.Cleanup(s.close)
	return s
}

func (s *shop) reopen() {
	s.t.Helper()
	opened, err := embedded.Open(s.dir, embedded.Options{Shards: 4})
	if err != nil {
		s.t.Fatal(err)
	}
	s.stores = s.wrap(opened)
	s.History, err = history.Open(context.Background(), s.stores, history.Options{
		Now: func() time.Time { return start }, Logger: slog.New(slog.DiscardHandler), FlushEvery: 20 * time.Millisecond,
	})
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *shop) close() {
	if err := s.Close(); err != nil {
		s.t.Error(err)
	}
	if err := s.stores.Close(); err != nil {
		s.t.Error(err)
	}
}

// write writes complete events and returns their outcomes.
func (s *shop) write(events ...event.Event) []history.Outcome {
	s.t.Helper()
	for i := range events {
		events[i].Complete(start)
	}
	outcomes, err := s.Write(context.Background(), events)
	if err != nil {
		s.t.Fatal(err)
	}
	return outcomes
}

func (s *shop) count(v event.Visitor) int64 {
	s.t.Helper()
	p, err := s.Person(context.Background(), v)
	if err != nil {
		s.t.Fatal(err)
	}
	return p.State.Events()
}

func (s *shop) verify(users, events int64) {
	s.t.Helper()
	report, err := s.Verify(context.Background())
	if err != nil {
		s.t.Fatal(err)
	}
	if diff := cmp.Diff(history.Report{Users: users, Events: events}, report); diff != "" {
		s.t.Errorf("verify (-want +got):\n%s", diff)
	}
}

func view(user, id, item string, at time.Duration) event.Event {
	return event.Event{ID: id, Type: event.ViewItem, UserID: user, ItemID: item, OccurredAt: start.Add(-time.Hour + at)}
}

func TestDuplicatesWhateverTheyCarry(t *testing.T) {
	s := open(t)
	first := view("ann", "e1", "lamp", 0)
	other := view("ann", "e1", "sofa", time.Minute)
	if diff := cmp.Diff([]history.Outcome{history.Accepted, history.Duplicate}, s.write(first, other)); diff != "" {
		t.Error(diff)
	}
	s.reopenClean()
	timeless := view("ann", "e1", "lamp", 0)
	timeless.OccurredAt = time.Time{}
	if diff := cmp.Diff([]history.Outcome{history.Duplicate, history.Accepted}, s.write(timeless, view("bob", "e1", "lamp", 0))); diff != "" {
		t.Error(diff)
	}
	events, err := s.Events(context.Background(), event.User("ann"), history.EventQuery{Limit: 10})
	if err != nil || len(events) != 1 || events[0].ItemID != "lamp" {
		t.Errorf("events of ann: %v, %v", events, err)
	}
	s.verify(2, 2)
}

func (s *shop) reopenClean() {
	s.t.Helper()
	s.close()
	s.reopen()
}

func TestManyIDsBeyondFingerprints(t *testing.T) {
	s := open(t)
	const n = 3000
	for from := 0; from < n; from += 100 {
		batch := make([]event.Event, 0, 200)
		for i := range 100 {
			batch = append(batch, view("ann", fmt.Sprint("e", from+i), fmt.Sprint("item", i), time.Duration(from+i)*time.Millisecond))
		}
		batch = append(batch, batch...)
		s.write(batch...)
	}
	for i := 0; i < n; i += 7 {
		if got := s.write(view("ann", fmt.Sprint("e", i), "other", 0)); got[0] != history.Duplicate {
			t.Fatalf("event %d again: %v", i, got[0])
		}
	}
	if got := s.count(event.User("ann")); got != n {
		t.Errorf("%d events, want %d", got, n)
	}
	s.verify(1, n)
}

func TestAnonymousVisitorBecomesUser(t *testing.T) {
	s := open(t)
	anonymous := event.Event{ID: "a1", Type: event.ViewItem, AnonymousID: "cookie", ItemID: "lamp", OccurredAt: start.Add(-time.Hour)}
	both := event.Event{ID: "u1", Type: event.AddToCart, UserID: "ann", AnonymousID: "cookie", ItemID: "lamp", OccurredAt: start.Add(-time.Minute)}
	s.write(anonymous)
	if got := s.count(event.User("ann")); got != 0 {
		t.Errorf("ann has %d events before she logs in", got)
	}
	s.write(both)
	for _, v := range []event.Visitor{event.User("ann"), event.Anonymous("cookie")} {
		if got := s.count(v); got != 2 {
			t.Errorf("%q: %d events, want 2", v, got)
		}
	}
	// An older link of another user takes the visitor over, although it comes later.
	older := both
	older.ID, older.UserID, older.OccurredAt = "u2", "bob", start.Add(-2*time.Minute)
	s.write(older)
	if ann, bob := s.count(event.User("ann")), s.count(event.User("bob")); ann != 1 || bob != 2 {
		t.Errorf("ann %d, bob %d events; want 1 and 2", ann, bob)
	}
	s.verify(3, 3)
}

// TestLinksInAnyOrder writes the same events of users and shared devices in many orders.
// Times collide, so that it is often the event id that decides whose a device was first.
func TestLinksInAnyOrder(t *testing.T) {
	const shops, people, devices = 40, 4, 5
	var events []event.Event
	var visitors []event.Visitor
	for shop := range uint64(shops) {
		random := rand.New(rand.NewPCG(shop, 0))
		for i := range 30 {
			e := view("", fmt.Sprint("e", i), fmt.Sprint("item", random.IntN(7)), time.Duration(random.IntN(12))*time.Second)
			named := random.IntN(3)
			if named != 0 {
				e.UserID = fmt.Sprintf("user%d.%d", shop, random.IntN(people))
			}
			if named != 1 {
				e.AnonymousID = fmt.Sprintf("device%d.%d", shop, random.IntN(devices))
			}
			events = append(events, e)
		}
		for i := range max(people, devices) {
			visitors = append(visitors, event.User(fmt.Sprintf("user%d.%d", shop, i)), event.Anonymous(fmt.Sprintf("device%d.%d", shop, i)))
		}
	}
	var want map[event.Visitor]string
	for seed := range uint64(5) {
		s := open(t)
		random := rand.New(rand.NewPCG(seed, 1))
		random.Shuffle(len(events), func(i, j int) { events[i], events[j] = events[j], events[i] })
		for rest := events; len(rest) > 0; {
			n := min(len(rest), 1+random.IntN(60))
			s.write(slices.Clone(rest[:n])...)
			rest = rest[n:]
		}
		got := map[event.Visitor]string{}
		for _, v := range visitors {
			p, err := s.Person(context.Background(), v)
			if err != nil {
				t.Fatal(err)
			}
			got[v] = fmt.Sprintf("%s %v %x", p.Visitor, p.AnonymousIDs, p.State.Append(nil))
		}
		if want == nil {
			want = got
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("order %d (-first +this):\n%s", seed, diff)
		}
	}
}

func TestConcurrentWritersOfTheSameUsers(t *testing.T) {
	s := open(t)
	const writers, users, each = 8, 10, 200
	var accepted atomic.Int64
	var running sync.WaitGroup
	for w := range writers {
		running.Go(func() {
			random := rand.New(rand.NewPCG(uint64(w), 2))
			for _, i := range random.Perm(users * each) {
				e := view(fmt.Sprint("user", i%users), fmt.Sprint("e", i/users), "lamp", time.Duration(i)*time.Millisecond)
				e.Complete(start)
				outcomes, err := s.Write(context.Background(), []event.Event{e})
				if err != nil {
					t.Error(err)
					return
				}
				if outcomes[0] == history.Accepted {
					accepted.Add(1)
				}
			}
		})
	}
	running.Wait()
	if got := accepted.Load(); got != users*each {
		t.Errorf("%d accepted, want %d", got, users*each)
	}
	s.verify(users, users*each)
}

// TestTwoHistoriesOnOneStore stands for two replicas: both append to the same shards.
func TestTwoHistoriesOnOneStore(t *testing.T) {
	s := open(t)
	other, err := history.Open(context.Background(), s.stores, history.Options{Now: func() time.Time { return start }, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	const n = 300
	var accepted atomic.Int64
	var running sync.WaitGroup
	for replica, h := range []*history.History{s.History, other} {
		running.Go(func() {
			for i := range n {
				// Half of the events come to both.
				id := fmt.Sprint("shared", i)
				if i%2 == 0 {
					id = fmt.Sprint("own", replica, "-", i)
				}
				e := view(fmt.Sprint("user", i%3), id, "lamp", time.Duration(i)*time.Millisecond)
				e.Complete(start)
				outcomes, err := h.Write(context.Background(), []event.Event{e})
				if err != nil {
					t.Error(err)
					return
				}
				if outcomes[0] == history.Accepted {
					accepted.Add(1)
				}
			}
		})
	}
	running.Wait()
	if err := other.Close(); err != nil {
		t.Error(err)
	}
	s.reopenClean()
	want := int64(n/2*2 + n/2)
	if got := accepted.Load(); got != want {
		t.Errorf("%d accepted, want %d", got, want)
	}
	s.verify(3, want)
}

// failing fails the next calls of one kind, some of them after they were carried out.
type failing struct {
	store.Stores
	method string
	left   atomic.Int64
	after  bool
}

func (f *failing) around(method string, do func() error) error {
	if f.method != method || f.left.Add(-1) < 0 {
		return do()
	}
	if f.after {
		_ = do()
	}
	return fmt.Errorf("injected: %w", event.ErrUnavailable)
}

func (f *failing) Append(ctx context.Context, shard int, seq store.Seq, row []byte) error {
	return f.around("Append", func() error { return f.Stores.Append(ctx, shard, seq, row) })
}

func (f *failing) PutEvents(ctx context.Context, shard int, records []store.Record) error {
	return f.around("PutEvents", func() error { return f.Stores.PutEvents(ctx, shard, records) })
}

func (f *failing) PutLinks(ctx context.Context, links []event.Link) error {
	return f.around("PutLinks", func() error { return f.Stores.PutLinks(ctx, links) })
}

func (f *failing) SwapFeatures(ctx context.Context, shard int, changes []store.Change) (ok []bool, err error) {
	err = f.around("SwapFeatures", func() error {
		ok, err = f.Stores.SwapFeatures(ctx, shard, changes)
		return err
	})
	return ok, err
}

// TestFaultAfterEachStep fails every step of the write path, before and after it was
// carried out, and expects the same event again to heal it and to count once.
func TestFaultAfterEachStep(t *testing.T) {
	for _, method := range []string{"Append", "PutEvents", "PutLinks", "SwapFeatures"} {
		for _, after := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s after=%v", method, after), func(t *testing.T) {
				s := &shop{t: t, dir: t.TempDir()}
				faults := &failing{method: method, after: after}
				s.wrap = func(inner store.Stores) store.Stores { faults.Stores = inner; return faults }
				s.reopen()
				t.Cleanup(s.close)
				s.write(view("ann", "e0", "lamp", 0))
				faults.left.Store(1)
				e := view("ann", "e1", "lamp", time.Second)
				e.AnonymousID = "cookie"
				e.Complete(start)
				if _, err := s.Write(context.Background(), []event.Event{e}); !errors.Is(err, event.ErrUnavailable) {
					t.Fatalf("a failed step gave %v", err)
				}
				s.write(e, view("ann", "e2", "lamp", 2*time.Second))
				if got := s.count(event.User("ann")); got != 3 {
					t.Errorf("%d events, want 3", got)
				}
				s.verify(1, 3)
			})
		}
	}
}

func TestFollowSeesEverythingOnceInOrder(t *testing.T) {
	s := open(t)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	const n = 200
	seen := map[string]int{}
	last := history.Cursor{}
	done := make(chan error, 1)
	go func() {
		done <- s.Follow(ctx, nil, func(shard int, seq store.Seq, events []event.Event) error {
			if seq != last[shard]+1 {
				t.Errorf("shard %d: row %d after %d", shard, seq, last[shard])
			}
			last[shard] = seq
			for _, e := range events {
				seen[e.ID]++
			}
			if len(seen) == n {
				cancel()
			}
			return nil
		})
	}()
	for i := range n {
		s.write(view(fmt.Sprint("user", i%9), fmt.Sprint("e", i), "lamp", time.Duration(i)*time.Second))
	}
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	for id, times := range seen {
		if times != 1 {
			t.Errorf("event %s came %d times", id, times)
		}
	}
}

func TestEventsPageThroughNewestFirst(t *testing.T) {
	s := open(t)
	var want []string
	for i := range 25 {
		s.write(view("ann", fmt.Sprintf("e%02d", i), "lamp", time.Duration(i/2)*time.Second))
		want = append([]string{fmt.Sprintf("e%02d", i)}, want...)
	}
	var got []string
	query := history.EventQuery{Limit: 4}
	for {
		page, err := s.Events(context.Background(), event.User("ann"), query)
		if err != nil {
			t.Fatal(err)
		}
		for i := range page {
			got = append(got, page[i].ID)
		}
		if len(page) < query.Limit {
			break
		}
		query.After = history.PositionOf(&page[len(page)-1])
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
