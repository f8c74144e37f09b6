package user_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/attune-shop/attune/model/cf/feedback"

	attunev1 "github.com/attune-shop/attune/gen/attune/v1"
	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/model/feature"
	"github.com/attune-shop/attune/server/user"
	"github.com/attune-shop/attune/store/history"
)

var noon = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

// people knows one person, newest event first.
type people struct {
	events []event.Event
	err    error
}

func (p *people) Person(_ context.Context, v event.Visitor) (history.Person, error) {
	state := &feature.State{}
	if v.ID() == "anna" || v.ID() == "cookie" {
		for i := range p.events {
			state.Fold(&p.events[i])
		}
	}
	return history.Person{Visitor: v, State: state}, p.err
}

func (p *people) Events(_ context.Context, _ event.Visitor, q history.EventQuery) ([]event.Event, error) {
	var out []event.Event
	for _, e := range p.events {
		after := q.After == history.Position{} || e.OccurredAt.Before(q.After.OccurredAt)
		if after && (q.Type == "" || q.Type == e.Type) && len(out) < q.Limit {
			out = append(out, e)
		}
	}
	return out, p.err
}

type shelf map[string]*event.Item

func (s shelf) Item(id string) (*event.Item, bool) { i, ok := s[id]; return i, ok }
func (s shelf) Each(func(*event.Item) bool)        {}
func (s shelf) Len() int                           { return len(s) }

func shop() (*user.Service, *people, shelf) {
	p := &people{}
	for n := range 30 {
		e := event.Event{ID: fmt.Sprint("e", n), Type: event.ViewItem, UserID: "anna", ItemID: "lamp", OccurredAt: noon.Add(-time.Duration(n) * time.Hour)}
		if n%10 == 5 {
			e.Type, e.ItemID = event.Purchase, ""
			e.Lines = []event.Line{{ItemID: "rake", Quantity: 2, Price: event.Money{Currency: "EUR", Minor: 500}}}
		}
		e.Complete(noon)
		p.events = append(p.events, e)
	}
	items := shelf{
		"lamp": {ID: "lamp", Categories: []string{"Home > Lighting"}, Brand: "Lumen"},
		"rake": {ID: "rake", Categories: []string{"Garden", "Tools"}},
	}
	return user.New(user.Options{People: p, Catalog: items, Weights: feedback.DefaultWeights(), Now: func() time.Time { return noon }}), p, items
}

func TestGetUser(t *testing.T) {
	service, _, items := shop()
	got, err := service.GetUser(t.Context(), &attunev1.GetUserRequest{UserId: "anna"})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]int64{"view_item": 27, "purchase": 3}, got.GetEventCounts()); diff != "" {
		t.Error(diff)
	}
	if got.GetUserId() != "anna" || got.GetPurchases().GetD1() != 1 || got.GetPurchases().GetAll() != 3 {
		t.Errorf("user %q, purchases %v", got.GetUserId(), got.GetPurchases())
	}
	if m := got.GetSpent()[0]; m.GetCurrencyCode() != "EUR" || m.GetAll() != 3000 || got.GetAverageOrderMinorUnits()["EUR"] != 1000 {
		t.Errorf("spent %v, average %v", m, got.GetAverageOrderMinorUnits())
	}
	if !got.GetLastSeenAt().AsTime().Equal(noon) || !got.GetLastPurchaseAt().AsTime().Equal(noon.Add(-5*time.Hour)) {
		t.Errorf("last seen %v, last purchase %v", got.GetLastSeenAt(), got.GetLastPurchaseAt())
	}
	if r := got.GetRecentItems(); len(r) != 30 || r[0].GetItemId() != "lamp" || r[5].GetQuantity() != 2 {
		t.Errorf("recent items %v", r)
	}
	sum := 0.0
	for _, share := range got.GetCategoryAffinity() {
		sum += share
	}
	if len(got.GetCategoryAffinity()) != 3 || math.Abs(sum-1) > 1e-9 || got.GetBrandAffinity()["Lumen"] != 1 {
		t.Errorf("affinities %v %v", got.GetCategoryAffinity(), got.GetBrandAffinity())
	}
	items["lamp"] = &event.Item{ID: "lamp", Categories: []string{"Sale"}}
	if got, err = service.GetUser(t.Context(), &attunev1.GetUserRequest{AnonymousId: "cookie"}); err != nil {
		t.Fatal(err)
	}
	if got.GetCategoryAffinity()["Sale"] == 0 || len(got.GetBrandAffinity()) != 0 {
		t.Errorf("after the catalog changed: %v %v", got.GetCategoryAffinity(), got.GetBrandAffinity())
	}
	if diff := cmp.Diff([]string{"cookie"}, got.GetAnonymousIds()); diff != "" || got.GetUserId() != "" {
		t.Errorf("user %q, anonymous %s", got.GetUserId(), diff)
	}
}

func TestListEventsPagesThroughAll(t *testing.T) {
	service, p, _ := shop()
	for _, kind := range []string{"", "Product Viewed"} {
		request := &attunev1.ListEventsRequest{UserId: "anna", PageSize: 7, Type: kind}
		got := 0
		for {
			page, err := service.ListEvents(t.Context(), request)
			if err != nil {
				t.Fatal(err)
			}
			got += len(page.GetEvents())
			if request.PageToken = page.GetNextPageToken(); request.PageToken == "" {
				break
			}
		}
		if want := map[string]int{"": len(p.events), "Product Viewed": 27}[kind]; got != want {
			t.Errorf("type %q: %d events, want %d", kind, got, want)
		}
	}
}

func TestBadRequestsNameTheField(t *testing.T) {
	service, p, _ := shop()
	page, err := service.ListEvents(t.Context(), &attunev1.ListEventsRequest{UserId: "anna", PageSize: 1})
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		field string
		err   error
	}{
		{"user_id", second(service.GetUser(t.Context(), &attunev1.GetUserRequest{}))},
		{"user_id", second(service.GetUser(t.Context(), &attunev1.GetUserRequest{UserId: strings.Repeat("x", 10_000)}))},
		{"anonymous_id", second(service.GetUser(t.Context(), &attunev1.GetUserRequest{AnonymousId: "\xff"}))},
		{"anonymous_id", second(service.GetUser(t.Context(), &attunev1.GetUserRequest{UserId: "a", AnonymousId: "b"}))},
		{"page_size", second(service.ListEvents(t.Context(), &attunev1.ListEventsRequest{UserId: "a", PageSize: 1_000_000_000}))},
		{"type", second(service.ListEvents(t.Context(), &attunev1.ListEventsRequest{UserId: "a", Type: strings.Repeat("x", 100)}))},
		{"page_token", second(service.ListEvents(t.Context(), &attunev1.ListEventsRequest{UserId: "bert", PageToken: page.GetNextPageToken()}))},
		{"page_token", second(service.ListEvents(t.Context(), &attunev1.ListEventsRequest{UserId: "anna", Type: "search", PageToken: page.GetNextPageToken()}))},
	} {
		var invalid *event.InvalidError
		if !errors.As(tc.err, &invalid) || invalid.Violations[0].Field != tc.field {
			t.Errorf("%s: %v", tc.field, tc.err)
		}
	}
	if _, err := service.GetUser(t.Context(), &attunev1.GetUserRequest{UserId: "nobody"}); !errors.Is(err, event.ErrNotFound) {
		t.Error(err)
	}
	p.err = event.ErrUnavailable
	if _, err := service.GetUser(t.Context(), &attunev1.GetUserRequest{UserId: "anna"}); !errors.Is(err, event.ErrUnavailable) {
		t.Error(err)
	}
}

func second[T any](_ T, err error) error { return err }
