package rank

import (
	"slices"
	"testing"
	"time"

	"github.com/attune-shop/attune/model/cf"
	"github.com/attune-shop/attune/model/cf/feedback"
	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/model/feature"
)

// TestTheModelIsAskedWithEvents, oldest first as they came, of items that it knows, and knows
// which interest each belongs to.
func TestTheModelIsAskedWithEvents(t *testing.T) {
	b := feedback.NewBuilder()
	for _, item := range []string{"a", "b", "c"} {
		b.Add("u", item, 1, 0)
		b.Add("v", item, 1, 0)
	}
	model, err := cf.Fit(t.Context(), b.Build(), cf.Plan{Algorithm: cf.ItemKNN}, cf.Options{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Unix(1_000_000, 0)
	visitor := &Visitor{Session: []feature.Interaction{
		{Type: event.ViewItem, ItemID: "c", At: now.Add(-time.Hour)},
		{Type: event.RemoveFromCart, ItemID: "c", At: now.Add(-time.Hour)},
		{Type: event.ViewItem, ItemID: "unknown", At: now.Add(-time.Hour)},
		{Type: event.Purchase, ItemID: "b", At: now.Add(-time.Minute)},
		{Type: event.Search, At: now},
		{Type: event.ViewItem, ItemID: "b", At: now},
	}}
	shop := &Shop{Model: model, Weights: feedback.DefaultWeights(), Now: now}
	r := &run{shop: shop, visitor: visitor, scratch: &Scratch{}}
	r.learn()
	hour, minute := now.Unix()-3600, now.Unix()-60
	want := []feedback.Signal{{Item: 2, Weight: 1, At: hour}, {Item: 2, Weight: -1, At: hour}, {Item: 1, Weight: 5, At: minute}, {Item: 1, Weight: 1, At: now.Unix()}}
	if !slices.Equal(r.signals, want) {
		t.Errorf("%v, want %v", r.signals, want)
	}
	if len(r.interests) != 2 || r.interests[0].itemID != "b" || r.interests[0].row != 1 || r.interests[1].row != -1 {
		t.Errorf("interests %+v", r.interests)
	}
	if !slices.Equal(r.signalOf, []int{-1, -1, 0, 0}) {
		t.Errorf("of %v", r.signalOf)
	}
}
