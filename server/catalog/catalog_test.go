package catalog_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"pgregory.net/rapid"

	attunev1 "github.com/attune-shop/attune/gen/attune/v1"
	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/server/catalog"
	"github.com/attune-shop/attune/store"
)

// memory is a store.Catalog in memory.
type memory struct {
	mu       sync.Mutex
	items    map[string]event.Item
	revision store.Seq
	fail     error
}

func (m *memory) Shared() bool { return false }

func (m *memory) Items(_ context.Context, fn func(event.Item) error) (store.Seq, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, item := range m.items {
		if err := fn(item); err != nil {
			return 0, err
		}
	}
	return m.revision, nil
}

func (m *memory) ChangeItems(_ context.Context, newest store.Seq, change store.ItemChange) (store.Seq, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fail != nil {
		return 0, m.fail
	}
	if newest != m.revision {
		return 0, store.ErrTaken
	}
	for _, i := range change.Put {
		m.items[i.ID] = i
	}
	for _, id := range change.Delete {
		delete(m.items, id)
	}
	m.revision++
	return m.revision, nil
}

func (m *memory) ItemChanges(context.Context, store.Seq, func(store.Seq, store.ItemChange) error) error {
	return nil
}

func open(t testing.TB, items ...event.Item) (*catalog.Service, *catalog.Shelf, *memory) {
	t.Helper()
	m := &memory{items: map[string]event.Item{}}
	for _, i := range items {
		m.items[i.ID] = i
	}
	shelf, err := catalog.OpenShelf(t.Context(), m, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return catalog.New(shelf), shelf, m
}

func TestABadItemDoesNotKeepOutItsNeighbours(t *testing.T) {
	service, shelf, m := open(t)
	before := shelf.Version()
	response, err := service.UpsertItems(t.Context(), &attunev1.UpsertItemsRequest{Items: []*attunev1.Item{
		{ItemId: "lamp"}, {}, {ItemId: "rake\xff"}, {ItemId: "rake", Price: &attunev1.Money{CurrencyCode: "XXY", MinorUnits: -1}}, {ItemId: "bulb"}, nil,
	}})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range response.GetResults() {
		text := r.GetItemId()
		for _, v := range r.GetViolations() {
			text += " " + v.GetField()
		}
		got = append(got, text)
	}
	want := []string{"lamp", " item_id", "rake\uFFFD item_id", "rake price.currency_code price.minor_units", "bulb", " item_id"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if shelf.Len() != 2 || len(m.items) != 2 || shelf.Version() == before {
		t.Errorf("%d on the shelf, %d stored", shelf.Len(), len(m.items))
	}
	if item, ok := shelf.Item("bulb"); !ok || item.Availability != event.InStock {
		t.Error("bulb is not on the shelf")
	}
}

func TestListItemsPagesThroughAll(t *testing.T) {
	var items []event.Item
	for n := range 250 {
		items = append(items, event.Item{ID: fmt.Sprintf("item-%03d", n), Availability: event.InStock})
	}
	service, shelf, _ := open(t, items...)
	if shelf.Len() != 250 {
		t.Errorf("%d loaded", shelf.Len())
	}
	var got int
	request := &attunev1.ListItemsRequest{PageSize: 99}
	for {
		page, err := service.ListItems(t.Context(), request)
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range page.GetItems() {
			if i.GetItemId() != items[got].ID {
				t.Fatalf("item %d is %s", got, i.GetItemId())
			}
			got++
		}
		if request.PageToken = page.GetNextPageToken(); request.PageToken == "" {
			break
		}
	}
	if got != len(items) {
		t.Errorf("%d listed", got)
	}
}

func TestBadRequestsNameTheField(t *testing.T) {
	service, _, m := open(t)
	for field, call := range map[string]func() error{
		"items": func() error {
			_, err := service.UpsertItems(t.Context(), &attunev1.UpsertItemsRequest{Items: make([]*attunev1.Item, 10_001)})
			return err
		},
		"item_id": func() error { _, err := service.GetItem(t.Context(), &attunev1.GetItemRequest{}); return err },
		"page_size": func() error {
			_, err := service.ListItems(t.Context(), &attunev1.ListItemsRequest{PageSize: -1})
			return err
		},
		"page_token": func() error {
			_, err := service.ListItems(t.Context(), &attunev1.ListItemsRequest{PageToken: "x"})
			return err
		},
	} {
		var invalid *event.InvalidError
		if err := call(); !errors.As(err, &invalid) || invalid.Violations[0].Field != field {
			t.Errorf("%s: %v", field, err)
		}
	}
	for _, err := range []error{
		second(service.GetItem(t.Context(), &attunev1.GetItemRequest{ItemId: "x"})),
		second(service.DeleteItem(t.Context(), &attunev1.DeleteItemRequest{ItemId: "x"})),
	} {
		if !errors.Is(err, event.ErrNotFound) {
			t.Error(err)
		}
	}
	m.fail = event.ErrUnavailable
	_, err := service.UpsertItems(t.Context(), &attunev1.UpsertItemsRequest{Items: []*attunev1.Item{{ItemId: "a"}}})
	if !errors.Is(err, event.ErrUnavailable) {
		t.Error(err)
	}
	if _, err := service.GetItem(t.Context(), &attunev1.GetItemRequest{ItemId: "a"}); !errors.Is(err, event.ErrNotFound) {
		t.Error("what was not stored is on the shelf")
	}
}

func second[T any](_ T, err error) error { return err }

type importing struct {
	grpc.ServerStream
	ctx      context.Context
	requests []*attunev1.ImportItemsRequest
	answer   *attunev1.ImportItemsResponse
}

func (s *importing) Context() context.Context { return s.ctx }
func (s *importing) Recv() (*attunev1.ImportItemsRequest, error) {
	if len(s.requests) == 0 {
		return nil, io.EOF
	}
	next := s.requests[0]
	s.requests = s.requests[1:]
	return next, nil
}
func (s *importing) SendAndClose(r *attunev1.ImportItemsResponse) error { s.answer = r; return nil }

func TestImportCounts(t *testing.T) {
	service, shelf, _ := open(t)
	stream := &importing{ctx: t.Context(), requests: []*attunev1.ImportItemsRequest{
		{Items: []*attunev1.Item{{ItemId: "a"}, {}}}, {}, {Items: []*attunev1.Item{{ItemId: "b"}, {ItemId: "a"}}},
		{Items: make([]*attunev1.Item, 150)},
	}}
	if err := service.ImportItems(stream); err != nil {
		t.Fatal(err)
	}
	if a := stream.answer; a.GetStored() != 3 || a.GetRejected() != 151 || len(a.GetRejections()) != 100 || shelf.Len() != 2 {
		t.Errorf("stored %d, rejected %d (%d named), %d on the shelf", a.GetStored(), a.GetRejected(), len(a.GetRejections()), shelf.Len())
	}
}

// TestShelfIsTheStore: after any writes the shelf holds what the store does, and so does
// one that is loaded anew.
func TestShelfIsTheStore(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		_, shelf, m := open(t)
		ids := rapid.SampledFrom([]string{"a", "b", "c", "d", "e"})
		rt.Repeat(map[string]func(*rapid.T){
			"put": func(rt *rapid.T) {
				var items []event.Item
				for _, id := range rapid.SliceOfN(ids, 0, 6).Draw(rt, "ids") {
					items = append(items, event.Item{ID: id, Title: rapid.String().Draw(rt, "title")})
				}
				if err := shelf.Put(context.Background(), items); err != nil {
					rt.Fatal(err)
				}
			},
			"delete": func(rt *rapid.T) { _ = shelf.Delete(context.Background(), ids.Draw(rt, "id")) },
			"": func(rt *rapid.T) {
				got := map[string]event.Item{}
				shelf.Each(func(i *event.Item) bool { got[i.ID] = *i; return true })
				if diff := cmp.Diff(m.items, got); diff != "" || shelf.Len() != len(got) {
					rt.Fatalf("%d counted: %s", shelf.Len(), diff)
				}
			},
		})
		again, err := catalog.OpenShelf(context.Background(), m, slog.New(slog.DiscardHandler))
		if err != nil || again.Len() != shelf.Len() {
			rt.Fatalf("%d loaded anew, %d on the shelf: %v", again.Len(), shelf.Len(), err)
		}
	})
}

func TestReadersDoNotWaitForWriters(t *testing.T) {
	_, shelf, _ := open(t)
	var running sync.WaitGroup
	for n := range 4 {
		running.Go(func() {
			for i := range 300 {
				id := fmt.Sprint(i % 50)
				if n == 0 {
					if err := shelf.Put(t.Context(), []event.Item{{ID: id, Title: id}}); err != nil {
						t.Error(err)
					}
				} else if item, ok := shelf.Item(id); ok && item.Title != id {
					t.Errorf("item %s is %v", id, item)
				}
				shelf.Each(func(i *event.Item) bool { return i.ID == i.Title })
			}
		})
	}
	running.Wait()
}
