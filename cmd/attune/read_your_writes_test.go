package main_test

import (
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	attunev1 "github.com/attune-shop/attune/gen/attune/v1"
)

// TestReadYourWrites writes an event and asks at once, 10,000 times: the visitor's
// features have it, and the list is computed with it, since what was just bought is gone.
func TestReadYourWrites(t *testing.T) {
	s := serve(t, folder(t.TempDir()))
	defer func() {
		if err := s.end(os.Interrupt); err != nil {
			t.Error(err)
		}
	}()
	events := attunev1.NewEventServiceClient(s.conn)
	users := attunev1.NewUserServiceClient(s.conn)
	lists := attunev1.NewRecommendationServiceClient(s.conn)

	const items = 60
	var batch []*attunev1.Event
	for i := range 6000 {
		batch = append(batch, &attunev1.Event{
			EventId: fmt.Sprint("crowd-", i), Type: "view_item", UserId: fmt.Sprint("crowd-", i%400), ItemId: fmt.Sprint("item-", (i*i+i/7)%items),
			OccurredAt: timestamppb.New(time.Now().Add(-time.Duration(i) * time.Minute)),
		})
	}
	if _, err := events.Write(t.Context(), &attunev1.WriteRequest{Events: batch}); err != nil {
		t.Fatal(err)
	}
	training, err := attunev1.NewModelServiceClient(s.conn).Train(t.Context(), &attunev1.TrainRequest{Algorithm: "item_knn"})
	if err != nil {
		t.Fatal(err)
	}
	for err == nil {
		_, err = training.Recv()
	}

	const visitors, each = 250, 40
	var running sync.WaitGroup
	for worker := range 8 {
		running.Go(func() {
			for v := worker; v < visitors; v += 8 {
				user := fmt.Sprint("visitor-", v)
				for i := range each {
					item := fmt.Sprint("item-", (v+i)%items)
					_, err := events.Write(t.Context(), &attunev1.WriteRequest{Events: []*attunev1.Event{{
						EventId: fmt.Sprint(i), Type: "purchase", UserId: user, Lines: []*attunev1.Line{{ItemId: item}},
					}}})
					if err != nil {
						t.Error(err)
						return
					}
					got, err := users.GetUser(t.Context(), &attunev1.GetUserRequest{UserId: user})
					if err != nil || got.GetEventCounts()["purchase"] != int64(i+1) || got.GetRecentItems()[0].GetItemId() != item {
						t.Errorf("%s after purchase %d of %s: %v, %v", user, i+1, item, got, err)
						return
					}
					list, err := lists.Recommend(t.Context(), &attunev1.RecommendRequest{UserId: user, ExcludeBought: true})
					if err != nil || len(list.GetItems()) == 0 {
						t.Errorf("%s: a list of %d items, %v", user, len(list.GetItems()), err)
						return
					}
					for _, entry := range list.GetItems() {
						if entry.GetItemId() == item {
							t.Errorf("%s was recommended %s, which was just bought", user, item)
						}
					}
				}
			}
		})
	}
	running.Wait()
}
