package shop_test

import (
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/attune-shop/attune/cmd/attune/internal/shop"
	attunev1 "github.com/attune-shop/attune/gen/attune/v1"
	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/server/wire"
)

// wired is the whole shop as bytes.
func wired(t *testing.T, s *shop.Shop) string {
	t.Helper()
	marshal := proto.MarshalOptions{Deterministic: true}
	items, err := marshal.Marshal(&attunev1.UpsertItemsRequest{Items: s.Items})
	if err != nil {
		t.Fatal(err)
	}
	events, err := marshal.Marshal(&attunev1.WriteRequest{Events: s.Events})
	if err != nil {
		t.Fatal(err)
	}
	return string(items) + string(events)
}

func TestSameSeedSameShop(t *testing.T) {
	options := shop.Default()
	one := wired(t, shop.Make(options))
	if one != wired(t, shop.Make(options)) {
		t.Error("the same options give another shop")
	}
	options.Seed++
	if one == wired(t, shop.Make(options)) {
		t.Error("another seed gives the same shop")
	}
}

// TestShopIsValid: everything is taken by the server, and there is something of everything.
func TestShopIsValid(t *testing.T) {
	options := shop.Default()
	s := shop.Make(options)
	titles := map[string]bool{}
	for _, i := range s.Items {
		item := wire.ReadItem(i)
		if v := item.Validate(); len(v) > 0 {
			t.Fatalf("%v: %v", i, v)
		}
		if titles[item.Title] {
			t.Errorf("two items are called %s", item.Title)
		}
		titles[item.Title] = true
	}
	if len(s.Items) != options.Items || len(s.People) != options.Visitors {
		t.Errorf("%d items, %d people", len(s.Items), len(s.People))
	}
	ids, types := map[string]bool{}, map[string]int{}
	anonymous, links := 0, 0
	for _, from := range s.Events {
		var e event.Event
		wire.ReadEvent(&e, from)
		if v := e.Validate(options.Until); len(v) > 0 {
			t.Fatalf("%v: %v", from, v)
		}
		if ids[e.ID] {
			t.Fatalf("two events are %s", e.ID)
		}
		ids[e.ID] = true
		types[string(e.Type)]++
		if e.UserID == "" {
			anonymous++
		}
		if _, ok := e.Link(); ok {
			links++
		}
	}
	for _, kind := range []event.Type{event.Search, event.ViewItem, event.AddToCart, event.RemoveFromCart, event.AddToWishlist, event.BeginCheckout, event.Purchase, event.Refund} {
		if types[string(kind)] < 10 {
			t.Errorf("%d events of type %s", types[string(kind)], kind)
		}
	}
	if anonymous < 100 || links < 10 || len(s.Events) < 10_000 {
		t.Errorf("%d events, %d anonymous, %d log-ins", len(s.Events), anonymous, links)
	}
}

func TestSmallestShop(t *testing.T) {
	if s := shop.Make(shop.Options{}); len(s.Items) == 0 || len(s.Events) != 0 {
		t.Errorf("%d items, %d events", len(s.Items), len(s.Events))
	}
	shop.Make(shop.Options{Items: 1, Visitors: 3, Days: 1, Until: shop.Default().Until})
}
