package shop_test

import (
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/attune-shop/attune/cmd/attune/internal/shop"
)

var end = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func TestTheSameSeedMakesTheSameShop(t *testing.T) {
	a, b := shop.New(1, end, 50), shop.New(1, end, 50)
	if len(a.Items) != len(b.Items) || len(a.Events) != len(b.Events) || len(a.Events) < 1000 {
		t.Fatalf("%d and %d items, %d and %d events", len(a.Items), len(b.Items), len(a.Events), len(b.Events))
	}
	for i := range a.Events {
		if !proto.Equal(a.Events[i], b.Events[i]) {
			t.Fatalf("event %d: %v and %v", i, a.Events[i], b.Events[i])
		}
	}
	if c := shop.New(2, end, 50); len(c.Events) == len(a.Events) {
		t.Error("another seed made as many events")
	}
}

func TestEventsHaveTheirOwnIDsAndTheirOrder(t *testing.T) {
	seen := map[string]bool{}
	last := time.Time{}
	for _, e := range shop.New(1, end, 100).Events {
		at := e.GetOccurredAt().AsTime()
		if seen[e.GetEventId()] || at.Before(last) || at.After(end) {
			t.Fatalf("event %v", e)
		}
		seen[e.GetEventId()], last = true, at
	}
}
