package history_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/store"
	"github.com/attune-shop/attune/store/history"
)

// forgetful is a store whose features vanish, as from a cache.
type forgetful struct {
	store.Stores
	vanished bool
}

func (f *forgetful) LosesFeatures() bool { return true }

func (f *forgetful) GetFeatures(ctx context.Context, shard int, visitors []event.Visitor) ([]store.Stored, error) {
	if f.vanished {
		return make([]store.Stored, len(visitors)), ctx.Err()
	}
	return f.Stores.GetFeatures(ctx, shard, visitors)
}

// TestFeaturesThatVanished has a store lose every feature: readers still get them, and
// writers go on from them.
func TestFeaturesThatVanished(t *testing.T) {
	s := open(t)
	kept := &forgetful{}
	s.wrap = func(opened store.Stores) store.Stores { kept.Stores = opened; return kept }
	s.close()
	s.reopen()
	s.write(view("ann", "e1", "lamp", 0), view("ann", "e2", "sofa", time.Minute))
	kept.vanished = true
	if n := s.count(event.User("ann")); n != 2 {
		t.Errorf("%d events read, want 2", n)
	}
	kept.vanished = false
	ctx, ann := context.Background(), event.User("ann")
	shard := store.ShardOf(ann, s.stores.Shards())
	values, err := s.stores.GetFeatures(ctx, shard, []event.Visitor{ann})
	if err != nil {
		t.Fatal(err)
	}
	if done, err := s.stores.SwapFeatures(ctx, shard, []store.Change{{Visitor: ann, Old: values[0]}}); err != nil || !done[0] {
		t.Fatal(done, err)
	}
	s.write(view("ann", "e2", "sofa", 0), view("ann", "e3", "lamp", 0))
	s.verify(1, 3)
}

// holed is a store of which a log row is gone.
type holed struct{ store.Stores }

func (holed) ReadLog(ctx context.Context, _ int, _ store.Seq, _ func(store.Seq, []byte) error) error {
	return ctx.Err()
}

func TestAHoleInTheLogIsRefused(t *testing.T) {
	s := open(t)
	s.write(view("ann", "e1", "lamp", 0))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	behind := holed{unmarked{s.stores}}
	_, err := history.Open(context.Background(), behind, history.Options{Now: func() time.Time { return start }})
	if !errors.Is(err, event.ErrCorrupt) {
		t.Errorf("error is %v", err)
	}
	s.stores = s.wrap(s.stores)
	s.History, err = history.Open(context.Background(), s.stores, history.Options{Now: func() time.Time { return start }})
	if err != nil {
		t.Fatal(err)
	}
}

// unmarked is a store whose marks were never moved.
type unmarked struct{ store.Stores }

func (unmarked) Mark(ctx context.Context, _ int) (store.Seq, error) { return 0, ctx.Err() }
