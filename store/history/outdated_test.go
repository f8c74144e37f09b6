package history_test

import (
	"bytes"
	"context"
	"testing"
	"time"

	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/model/feature"
	"github.com/attune-shop/attune/store"
)

// TestFeaturesFromBeforeIdentify: to an older version it was a custom type. Such features
// are made again, by a reader and by a writer, and verify does not mind them.
func TestFeaturesFromBeforeIdentify(t *testing.T) {
	ctx := context.Background()
	s := open(t)
	for _, user := range []string{"ann", "ben"} {
		s.write(event.Event{
			ID: "i", Type: event.Identify, UserID: user, ItemID: "lamp", Attributes: []byte(`{"tier":"gold"}`), OccurredAt: start,
		})
		visitor := event.User(user)
		shard := store.ShardOf(visitor, s.stores.Shards())
		values, err := s.stores.GetFeatures(ctx, shard, []event.Visitor{visitor})
		if err != nil {
			t.Fatal(err)
		}
		var now, old feature.State
		e := event.Event{ID: "i", Type: event.Identify, UserID: user, Attributes: []byte(`{"tier":"gold"}`), OccurredAt: start}
		now.Fold(&e)
		e.Type, e.ItemID = "identifx", "lamp"
		old.Fold(&e)
		head, found := bytes.CutSuffix(values[0].Value, now.Append(nil))
		if !found {
			t.Fatalf("features %x are not %x", values[0].Value, now.Append(nil))
		}
		value := bytes.Replace(old.Append(bytes.Clone(head)), []byte("identifx"), []byte("identify"), 1)
		change := store.Change{Visitor: visitor, Old: values[0], New: value}
		if done, err := s.stores.SwapFeatures(ctx, shard, []store.Change{change}); err != nil || !done[0] {
			t.Fatal(done, err)
		}
	}
	s.verify(2, 2)
	ann, err := s.Person(ctx, event.User("ann"))
	if err != nil || ann.State.Traits()["tier"] != "gold" || ann.State.Recent() != nil {
		t.Errorf("%v, %v, %v", ann.State.Traits(), ann.State.Recent(), err)
	}
	s.write(view("ben", "v", "lamp", time.Minute), event.Event{ID: "i", Type: event.Identify, UserID: "ben", OccurredAt: start})
	ben, err := s.Person(ctx, event.User("ben"))
	if err != nil || ben.State.Traits()["tier"] != "gold" || ben.State.Events() != 2 {
		t.Errorf("%v, %d events, %v", ben.State.Traits(), ben.State.Events(), err)
	}
	s.verify(2, 3)
}
