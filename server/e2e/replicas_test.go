package e2e_test

import (
	"fmt"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	attunev1 "github.com/attune-shop/attune/gen/attune/v1"
)

// TestReplicasFollowEachOther: what one server learns, the other one serves: an event at
// once; items, models and the one that was chosen within seconds.
func TestReplicasFollowEachOther(t *testing.T) {
	where := keyspace(t)
	one, two := open(t, where), open(t, where)
	one.fill()

	for n := range 20 {
		at, other := one, two
		if n%2 == 1 {
			at, other = two, one
		}
		id := fmt.Sprint("follow-", n)
		if _, err := at.events.Write(t.Context(), &attunev1.WriteRequest{Events: []*attunev1.Event{view(id, "zoe", "item-2")}}); err != nil {
			t.Fatal(err)
		}
		user, err := other.users.GetUser(t.Context(), &attunev1.GetUserRequest{UserId: "zoe"})
		if err != nil {
			t.Fatal(err)
		}
		if got := user.GetEventCounts()["view_item"]; got != int64(n+1) {
			t.Fatalf("the other server counts %d views right after the ack of view %d", got, n+1)
		}
	}

	_, first := one.recommends()
	follows(t, "the model", func() bool { _, model := two.recommends(); return model == first })
	two.train()
	_, second := two.recommends()
	if second == first {
		t.Fatalf("both trainings made model %q", first)
	}
	follows(t, "the other's model", func() bool { _, model := one.recommends(); return model == second })
	if _, err := one.models.ActivateModel(t.Context(), &attunev1.ActivateModelRequest{Version: first}); err != nil {
		t.Fatal(err)
	}
	follows(t, "the model that was chosen", func() bool { _, model := two.recommends(); return model == first })

	one.regulars(0)
	learned := one.learnBuyers()
	follows(t, "the model of likely buyers", func() bool {
		found, err := attunev1.NewSegmentServiceClient(two.conn).GetBuyersModel(t.Context(), &attunev1.GetBuyersModelRequest{})
		return err == nil && found.GetVersion() == learned.GetVersion()
	})

	lamp := &attunev1.Item{ItemId: "lamp", Title: "Lamp"}
	if _, err := two.items.UpsertItems(t.Context(), &attunev1.UpsertItemsRequest{Items: []*attunev1.Item{lamp}}); err != nil {
		t.Fatal(err)
	}
	read := func() (string, error) {
		item, err := one.items.GetItem(t.Context(), &attunev1.GetItemRequest{ItemId: "lamp"})
		return item.GetTitle(), err
	}
	follows(t, "the item", func() bool { title, err := read(); return err == nil && title == "Lamp" })
	if _, err := two.items.DeleteItem(t.Context(), &attunev1.DeleteItemRequest{ItemId: "lamp"}); err != nil {
		t.Fatal(err)
	}
	follows(t, "the item's end", func() bool { _, err := read(); return status.Code(err) == codes.NotFound })
}

// follows waits until a server knows what another was told.
func follows(t testing.TB, what string, known func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !known(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s did not get to the other server", what)
		}
	}
}
