package recommend

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/attune-shop/attune/model/cf/feedback"

	attunev1 "github.com/attune-shop/attune/gen/attune/v1"
	"github.com/attune-shop/attune/model/cf"
	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/model/feature"
	"github.com/attune-shop/attune/model/rank"
	"github.com/attune-shop/attune/store"
	"github.com/attune-shop/attune/store/history"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var noon = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

// shop is a shop in memory: its people, shelf, log and checkpoints.
type shop struct {
	mu      sync.Mutex
	states  map[event.Visitor]*feature.State
	ids     map[uint64]string
	items   map[string]*event.Item
	version uint64
	rows    []event.Event
	saved   map[string][]byte
	model   *cf.Snapshot
	reads   atomic.Int64
	// unknown is why event ids cannot be looked up.
	unknown error
}

func newShop() *shop {
	return &shop{
		states: map[event.Visitor]*feature.State{}, ids: map[uint64]string{}, items: map[string]*event.Item{},
		saved: map[string][]byte{},
	}
}

func (s *shop) Person(_ context.Context, v event.Visitor) (history.Person, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch v {
	case event.User("broken"):
		return history.Person{}, event.ErrUnavailable
	case event.User("corrupt"):
		return history.Person{}, event.ErrCorrupt
	}
	state := feature.Merge(&feature.State{})
	if known := s.states[v]; known != nil {
		state = feature.Merge(known)
	}
	return history.Person{Visitor: v, State: state}, nil
}

func (s *shop) Events(_ context.Context, v event.Visitor, q history.EventQuery) ([]event.Event, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []event.Event
	for _, e := range slices.Backward(s.rows) {
		if e.Visitor() == v && len(out) < q.Limit {
			out = append(out, e)
		}
	}
	return out, s.unknown
}

func (s *shop) EventIDs(_ context.Context, _ event.Visitor, prints []uint64) (map[uint64]string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := map[uint64]string{}
	for _, p := range prints {
		out[p] = s.ids[p]
	}
	return out, s.unknown
}

func (s *shop) write(e event.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.states[e.Visitor()] == nil {
		s.states[e.Visitor()] = &feature.State{}
	}
	s.states[e.Visitor()].Fold(&e)
	s.ids[feature.Fingerprint(e.ID)] = e.ID
	s.rows = append(s.rows, e)
}

func (s *shop) put(items ...event.Item) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, i := range items {
		s.items[i.ID] = &i
	}
	s.version++
}

func (s *shop) Item(id string) (*event.Item, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i, ok := s.items[id]
	return i, ok
}

func (s *shop) Each(fn func(*event.Item) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, i := range s.items {
		if !fn(i) {
			return
		}
	}
}

func (s *shop) Len() int        { s.mu.Lock(); defer s.mu.Unlock(); return len(s.items) }
func (s *shop) Version() uint64 { s.mu.Lock(); defer s.mu.Unlock(); return s.version }

func (s *shop) Active() (*cf.Snapshot, string) {
	if s.model == nil {
		return nil, ""
	}
	return s.model, "v1"
}

// Follow gives every event as a row of shard 0.
func (s *shop) Follow(ctx context.Context, from history.Cursor, fn func(int, store.Seq, []event.Event) error) error {
	for at := int(from[0]); ; {
		s.mu.Lock()
		rows := s.rows[at:]
		s.mu.Unlock()
		for _, e := range rows {
			at++
			s.reads.Add(1)
			if err := fn(0, store.Seq(at), []event.Event{e}); err != nil {
				return err
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Millisecond):
		}
	}
}

func (s *shop) SaveCheckpoint(_ context.Context, name string, data []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.saved[name] = data
	return nil
}

func (s *shop) Checkpoint(_ context.Context, name string) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if data, ok := s.saved[name]; ok {
		return data, nil
	}
	return nil, event.ErrNotFound
}

var quiet = slog.New(slog.DiscardHandler)

func (s *shop) trends(t testing.TB) *Trends {
	t.Helper()
	trends, err := OpenTrends(t.Context(), s, s, feedback.DefaultWeights(), func() time.Time { return noon }, quiet)
	if err != nil {
		t.Fatal(err)
	}
	return trends
}

func (s *shop) serve(t testing.TB) *Service {
	t.Helper()
	trends := s.trends(t)
	service, err := New(Options{
		People: s, Shelf: s, Models: s, Trends: trends, Weights: feedback.DefaultWeights(),
		Segments: func(v *rank.Visitor) []string { return []string{"known-as-" + v.Key.ID()} },
		Now:      func() time.Time { return noon }, Random: rand.Reader, Logger: quiet,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		service.Close()
		if err := trends.Close(); err != nil {
			t.Error(err)
		}
	})
	return service
}

func ids(r *attunev1.RecommendResponse) []string {
	out := []string{}
	for _, i := range r.GetItems() {
		out = append(out, i.GetItemId())
	}
	return out
}

func view(user, item string, n int) event.Event {
	return event.Event{
		ID: fmt.Sprintf("%s-%s-%d", user, item, n), Type: event.ViewItem, UserID: user, ItemID: item,
		OccurredAt: noon.Add(-time.Duration(n) * time.Minute),
	}
}

func furniture() []event.Item {
	return []event.Item{
		{ID: "lamp", Title: "Brass lamp", Categories: []string{"Home > Lighting"}, Brand: "Lumen", Availability: event.InStock},
		{ID: "shade", Title: "Paper shade", Categories: []string{"Home > Lighting"}, Brand: "Lumen", Availability: event.InStock},
		{ID: "rake", Title: "Rake", Categories: []string{"Garden"}, Availability: event.InStock},
	}
}

func TestRecommendKnowsTheLastEvent(t *testing.T) {
	s := newShop()
	s.put(furniture()...)
	service := s.serve(t)
	ask := func() *attunev1.RecommendResponse {
		t.Helper()
		list, err := service.Recommend(t.Context(), &attunev1.RecommendRequest{
			UserId: "anna", ExcludeSeen: true, Explain: true, Placement: "home", Limit: new(int32(1)),
		})
		if err != nil {
			t.Fatal(err)
		}
		return list
	}
	s.write(view("anna", "lamp", 2))
	list := ask()
	if diff := cmp.Diff([]string{"shade"}, ids(list)); diff != "" {
		t.Fatal(diff)
	}
	reason := list.GetItems()[0].GetReasons()[0]
	if reason.GetEventId() != "anna-lamp-2" || reason.GetModel() != "content" || reason.GetItemId() != "lamp" {
		t.Errorf("reason %v", reason)
	}
	if id := list.GetRecommendationId(); len(id) != idBytes+len(".home") || !strings.HasSuffix(id, ".home") || id == ask().GetRecommendationId() {
		t.Errorf("recommendation id %q", id)
	}
	s.write(view("anna", "shade", 1))
	if diff := cmp.Diff([]string{"rake"}, ids(ask())); diff != "" {
		t.Error(diff)
	}
	s.put(event.Item{ID: "rake", Availability: event.OutOfStock})
	if diff := cmp.Diff([]string{}, ids(ask())); diff != "" {
		t.Error(diff)
	}
	s.put(event.Item{ID: "bulb", Title: "Brass bulb", Availability: event.InStock})
	if diff := cmp.Diff([]string{"bulb"}, ids(ask())); diff != "" {
		t.Error(diff)
	}
}

func TestEveryList(t *testing.T) {
	s := newShop()
	s.put(furniture()...)
	s.write(view("anna", "lamp", 5))
	for day := range 3 {
		s.write(event.Event{
			ID: fmt.Sprint("o", day), Type: event.Purchase, UserID: "anna", OccurredAt: noon.Add(-time.Duration(day*72) * time.Hour),
			Lines: []event.Line{{ItemID: "rake", Quantity: 1}},
		})
	}
	service := s.serve(t)
	waitFor(t, func() bool { return s.reads.Load() == 4 })
	ctx := t.Context()
	for name, tc := range map[string]struct {
		list func() (*attunev1.RecommendResponse, error)
		want []string
	}{
		"nobody": {func() (*attunev1.RecommendResponse, error) {
			return service.Recommend(ctx, &attunev1.RecommendRequest{})
		}, []string{"rake", "lamp", "shade"}},
		"session": {func() (*attunev1.RecommendResponse, error) {
			return service.Recommend(ctx, &attunev1.RecommendRequest{Limit: new(int32(1)), Session: []*attunev1.SessionEvent{{ItemId: "shade"}}})
		}, []string{"lamp"}},
		"similar": {func() (*attunev1.RecommendResponse, error) {
			return service.SimilarItems(ctx, &attunev1.SimilarItemsRequest{ItemId: "lamp"})
		}, []string{"shade"}},
		"together": {func() (*attunev1.RecommendResponse, error) {
			return service.BoughtTogether(ctx, &attunev1.BoughtTogetherRequest{BasketItemIds: []string{"lamp"}})
		}, []string{}},
		"trending": {func() (*attunev1.RecommendResponse, error) {
			return service.Trending(ctx, &attunev1.TrendingRequest{Window: durationpb.New(time.Hour), EventType: "Product Viewed"})
		}, []string{"lamp"}},
		"trending in a category": {func() (*attunev1.RecommendResponse, error) {
			return service.Trending(ctx, &attunev1.TrendingRequest{Category: "Garden"})
		}, []string{"rake"}},
		"rerank": {func() (*attunev1.RecommendResponse, error) {
			return service.Rerank(ctx, &attunev1.RerankRequest{UserId: "anna", ItemIds: []string{"shade", "rake"}, Filter: "item.brand == 'Lumen'"})
		}, []string{"shade"}},
		"viewed": {func() (*attunev1.RecommendResponse, error) {
			return service.RecentlyViewed(ctx, &attunev1.RecentlyViewedRequest{UserId: "anna"})
		}, []string{"lamp"}},
		"again": {func() (*attunev1.RecommendResponse, error) {
			return service.BuyAgain(ctx, &attunev1.BuyAgainRequest{UserId: "anna"})
		}, []string{"rake"}},
		"again of one nobody knows": {func() (*attunev1.RecommendResponse, error) {
			return service.BuyAgain(ctx, &attunev1.BuyAgainRequest{AnonymousId: "x"})
		}, []string{}},
	} {
		list, err := tc.list()
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if diff := cmp.Diff(tc.want, ids(list)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestBadRequestsNameTheField(t *testing.T) {
	s := newShop()
	s.put(furniture()...)
	service := s.serve(t)
	long := strings.Repeat("x", 10_000)
	ctx := t.Context()
	recommend := func(r *attunev1.RecommendRequest) error { _, err := service.Recommend(ctx, r); return err }
	for _, tc := range []struct {
		field string
		err   error
	}{
		{"limit", recommend(&attunev1.RecommendRequest{Limit: new(int32(0))})},
		{"limit", recommend(&attunev1.RecommendRequest{Limit: new(int32(-1))})},
		{"limit", recommend(&attunev1.RecommendRequest{Limit: new(int32(1_000_000_000))})},
		{"user_id", recommend(&attunev1.RecommendRequest{UserId: long})},
		{"anonymous_id", recommend(&attunev1.RecommendRequest{AnonymousId: "\xff"})},
		{"filter", recommend(&attunev1.RecommendRequest{Filter: "item.price <"})},
		{"filter", recommend(&attunev1.RecommendRequest{Filter: "item.brand == 1"})},
		{"filter", recommend(&attunev1.RecommendRequest{Filter: "'" + long + "' == ''"})},
		{"boost", recommend(&attunev1.RecommendRequest{Boost: "item.brand"})},
		{"boost", recommend(&attunev1.RecommendRequest{Boost: "-1"})},
		{"placement", recommend(&attunev1.RecommendRequest{Placement: long})},
		{"placement", recommend(&attunev1.RecommendRequest{Placement: "a\xff"})},
		{"max_per_category", recommend(&attunev1.RecommendRequest{MaxPerCategory: -1})},
		{"exclude_item_ids", recommend(&attunev1.RecommendRequest{ExcludeItemIds: make([]string, maxExcluded+1)})},
		{"session", recommend(&attunev1.RecommendRequest{Session: make([]*attunev1.SessionEvent, maxSession+1)})},
		{"session[1].item_id", recommend(&attunev1.RecommendRequest{Session: []*attunev1.SessionEvent{{ItemId: "a"}, {}}})},
		{"session[0].type", recommend(&attunev1.RecommendRequest{Session: []*attunev1.SessionEvent{{ItemId: "a", Type: "No Such"}}})},
		{"session[0].occurred_at", recommend(&attunev1.RecommendRequest{Session: []*attunev1.SessionEvent{
			{ItemId: "a", OccurredAt: timestamppb.New(noon.AddDate(900, 0, 0))}}})},
		{"item_id", second(service.SimilarItems(ctx, &attunev1.SimilarItemsRequest{}))},
		{"item_id", second(service.BoughtTogether(ctx, &attunev1.BoughtTogetherRequest{}))},
		{"basket_item_ids", second(service.BoughtTogether(ctx, &attunev1.BoughtTogetherRequest{BasketItemIds: make([]string, 101)}))},
		{"item_ids", second(service.Rerank(ctx, &attunev1.RerankRequest{}))},
		{"item_ids[0]", second(service.Rerank(ctx, &attunev1.RerankRequest{ItemIds: []string{""}}))},
		{"window", second(service.Trending(ctx, &attunev1.TrendingRequest{Window: durationpb.New(time.Minute)}))},
		{"window", second(service.Trending(ctx, &attunev1.TrendingRequest{Window: durationpb.New(31 * 24 * time.Hour)}))},
		{"event_type", second(service.Trending(ctx, &attunev1.TrendingRequest{EventType: "No Such"}))},
		{"user_id", second(service.RecentlyViewed(ctx, &attunev1.RecentlyViewedRequest{}))},
		{"user_id", second(service.BuyAgain(ctx, &attunev1.BuyAgainRequest{}))},
	} {
		var invalid *event.InvalidError
		if !errors.As(tc.err, &invalid) || invalid.Violations[0].Field != tc.field {
			t.Errorf("%s: %v", tc.field, tc.err)
		}
	}
	if _, err := service.SimilarItems(ctx, &attunev1.SimilarItemsRequest{ItemId: "what"}); !errors.Is(err, event.ErrNotFound) {
		t.Errorf("similar to what is not there: %v", err)
	}
	if err := recommend(&attunev1.RecommendRequest{UserId: "corrupt"}); !errors.Is(err, event.ErrCorrupt) {
		t.Errorf("a visitor that cannot be read: %v", err)
	}
}

// TestTheVisitorCannotBeRead: lists go on without, and say so, where they have anything else.
func TestTheVisitorCannotBeRead(t *testing.T) {
	s := newShop()
	s.put(furniture()...)
	service := s.serve(t)
	for user, degraded := range map[string]bool{"broken": true, "anna": false} {
		list, err := service.Recommend(t.Context(), &attunev1.RecommendRequest{
			UserId: user, ExcludeSeen: true, Limit: new(int32(1)), Session: []*attunev1.SessionEvent{{ItemId: "shade"}},
		})
		if err != nil || list.GetDegraded() != degraded || !slices.Equal(ids(list), []string{"lamp"}) {
			t.Errorf("%s: %v, %v", user, list, err)
		}
	}
	if _, err := service.BuyAgain(t.Context(), &attunev1.BuyAgainRequest{UserId: "broken"}); !errors.Is(err, event.ErrUnavailable) {
		t.Errorf("what was bought: %v", err)
	}
	if _, err := service.RecentlyViewed(t.Context(), &attunev1.RecentlyViewedRequest{UserId: "broken"}); !errors.Is(err, event.ErrUnavailable) {
		t.Errorf("what was viewed: %v", err)
	}
}

// TestWhatIsOlderThanTheStateIsLeftOut: what was seen, and what is in the cart, is however much
// came after it, while the events can be read.
func TestWhatIsOlderThanTheStateIsLeftOut(t *testing.T) {
	s := newShop()
	s.put(furniture()...)
	write := func(n int, kind event.Type, item string) {
		s.write(event.Event{
			ID: fmt.Sprint(n), Type: kind, UserID: "anna", ItemID: item, OccurredAt: noon.Add(time.Duration(n) * time.Second),
			Lines: []event.Line{{ItemID: item, Quantity: 1}},
		})
	}
	write(-1000, event.ViewItem, "lamp")
	write(-999, event.AddToCart, "shade")
	write(-998, event.AddToCart, "lamp")
	for n := range feature.MaxRecent {
		write(n-900, event.RemoveFromCart, "lamp")
	}
	service := s.serve(t)
	for _, tc := range []struct {
		seen, cart bool
		out        []string
	}{
		{true, true, []string{"lamp", "shade"}}, {true, false, []string{"lamp"}}, {false, true, []string{"shade"}}, {false, false, nil},
	} {
		for _, unknown := range []error{nil, event.ErrUnavailable} {
			s.unknown = unknown
			list, err := service.Recommend(t.Context(), &attunev1.RecommendRequest{UserId: "anna", ExcludeSeen: tc.seen, ExcludeInCart: tc.cart})
			if err != nil || list.GetDegraded() != (unknown != nil && tc.out != nil) {
				t.Fatalf("%+v: %v, %v", tc, list, err)
			}
			for _, item := range []string{"lamp", "shade"} {
				if listed := slices.Contains(ids(list), item); listed == (slices.Contains(tc.out, item) && unknown == nil) {
					t.Errorf("%+v, %v: %v", tc, unknown, ids(list))
				}
			}
		}
	}
}

// TestTheReasonsEventsCannotBeRead: reasons go on without the ids of their events.
func TestTheReasonsEventsCannotBeRead(t *testing.T) {
	s := newShop()
	s.put(furniture()...)
	s.write(view("anna", "lamp", 2))
	service := s.serve(t)
	for _, unknown := range []error{nil, event.ErrUnavailable, event.ErrExhausted} {
		s.unknown = unknown
		list, err := service.Recommend(t.Context(), &attunev1.RecommendRequest{UserId: "anna", ExcludeSeen: true, Explain: true, Limit: new(int32(1))})
		if err != nil || list.GetDegraded() != (unknown != nil) || !slices.Equal(ids(list), []string{"shade"}) {
			t.Fatalf("%v: %v, %v", unknown, list, err)
		}
		reason := list.GetItems()[0].GetReasons()[0]
		if reason.GetItemId() != "lamp" || (reason.GetEventId() == "") != (unknown != nil) {
			t.Errorf("%v: reason %v", unknown, reason)
		}
	}
	s.unknown = event.ErrCorrupt
	if _, err := service.Recommend(t.Context(), &attunev1.RecommendRequest{UserId: "anna", Explain: true}); !errors.Is(err, event.ErrCorrupt) {
		t.Errorf("corrupt: %v", err)
	}
}

func second(_ *attunev1.RecommendResponse, err error) error { return err }

func TestTrendsReadOnlyTheTailAfterARestart(t *testing.T) {
	s := newShop()
	for n := range 5 {
		s.write(view("anna", "lamp", n))
	}
	first := s.trends(t)
	waitFor(t, func() bool { return s.reads.Load() == 5 })
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	s.write(view("bert", "shade", 1))
	second := s.trends(t)
	waitFor(t, func() bool { return s.reads.Load() == 6 })
	got := second.Top(noon, time.Hour, event.ViewItem)
	if len(got) != 2 || got[0].ItemID != "lamp" || got[0].Score != 5 || got[1].ItemID != "shade" {
		t.Errorf("after a restart: %v", got)
	}
	if err := second.Close(); err != nil {
		t.Fatal(err)
	}
	s.saved[checkpointName] = []byte{checkpointVersion, 200}
	third := s.trends(t)
	waitFor(t, func() bool { return s.reads.Load() == 12 })
	if got := third.Top(noon, time.Hour, event.ViewItem); len(got) != 2 || got[0].Score != 5 {
		t.Errorf("after damage: %v", got)
	}
	if err := third.Close(); err != nil {
		t.Fatal(err)
	}
	s.saved[checkpointName] = []byte{checkpointVersion + 1}
	if _, err := OpenTrends(t.Context(), s, s, nil, time.Now, quiet); !errors.Is(err, event.ErrNewerVersion) {
		t.Errorf("a newer version: %v", err)
	}
}

// TestNoItemTrendsBecauseOfTraits: an identify event is about no item, also where it names one.
func TestNoItemTrendsBecauseOfTraits(t *testing.T) {
	s := newShop()
	said := view("anna", "lamp", 1)
	said.Type = event.Identify
	s.write(said)
	s.write(view("anna", "shade", 2))
	trends := s.trends(t)
	waitFor(t, func() bool { return len(trends.Top(noon, time.Hour, event.ViewItem)) == 1 })
	if got := trends.Top(noon, time.Hour, event.Identify); len(got) > 0 {
		t.Errorf("trending: %v", got)
	}
	if err := trends.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestRequestsWhileTheCatalogChanges(t *testing.T) {
	s := newShop()
	s.put(furniture()...)
	service := s.serve(t)
	var running sync.WaitGroup
	for n := range 4 {
		running.Go(func() {
			for i := range 200 {
				if n == 0 {
					s.put(event.Item{ID: fmt.Sprint("item", i), Title: "Lamp", Availability: event.InStock})
					s.write(view("anna", "lamp", i))
				}
				if _, err := service.Recommend(t.Context(), &attunev1.RecommendRequest{UserId: "anna"}); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	running.Wait()
}

func FuzzDecodeCheckpoint(f *testing.F) {
	s := newShop()
	s.write(view("anna", "lamp", 1))
	trends, err := OpenTrends(context.Background(), s, s, nil, func() time.Time { return noon }, quiet)
	if err != nil {
		f.Fatal(err)
	}
	for s.reads.Load() < 1 {
		time.Sleep(time.Millisecond)
	}
	if err := trends.Close(); err != nil {
		f.Fatal(err)
	}
	f.Add(s.saved[checkpointName])
	f.Fuzz(func(t *testing.T, data []byte) {
		counters, cursor, err := decodeCheckpoint(data)
		if err != nil {
			return
		}
		if _, _, err := decodeCheckpoint(appendCheckpoint(nil, counters, cursor)); err != nil {
			t.Fatal(err)
		}
	})
}

func waitFor(t *testing.T, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it did not happen")
		}
	}
}
