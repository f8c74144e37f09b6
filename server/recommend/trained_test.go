package recommend

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/attune-shop/attune/model/cf/feedback"

	attunev1 "github.com/attune-shop/attune/gen/attune/v1"
	"github.com/attune-shop/attune/model/cf"
	"github.com/attune-shop/attune/model/event"
)

// train fits an algorithm to what the visitors of a shop of two tastes chose: cooks choose
// from k0..k9, gardeners from g0..g9, both in baskets of two neighbours.
func train(t testing.TB, algorithm string) *cf.Snapshot {
	t.Helper()
	b := feedback.NewBuilder()
	for user := range 80 {
		kind := []string{"k", "g"}[user%2]
		for n := range 6 {
			item := fmt.Sprint(kind, (user/2+n)%10)
			at := noon.Add(-time.Duration(user*7+n) * time.Hour).Unix()
			b.Add(fmt.Sprint("u", user), item, 1, at)
			b.AddBasket([]string{item, fmt.Sprint(kind, (user/2+n+1)%10)})
		}
	}
	return fit(t, b.Build(), cf.Options{Algorithm: algorithm, Factors: 2})
}

func fit(t testing.TB, data *feedback.Dataset, options cf.Options) *cf.Snapshot {
	t.Helper()
	model, err := cf.Fit(t.Context(), data, cf.Plan{Algorithm: options.Algorithm}, options, nil)
	if err != nil {
		t.Fatal(err)
	}
	return model
}

func TestTrainedModels(t *testing.T) {
	for _, algorithm := range []string{cf.EASE, cf.ALS, cf.ItemKNN, cf.Popularity} {
		t.Run(algorithm, func(t *testing.T) {
			s := newShop()
			for n := range 10 {
				s.put(
					event.Item{ID: fmt.Sprint("k", n), Categories: []string{"Kitchen > Pots"}, Availability: event.InStock},
					event.Item{ID: fmt.Sprint("g", n), Categories: []string{"Garden > Tools"}, Availability: event.InStock})
			}
			s.put(event.Item{ID: "k-new", Categories: []string{"Kitchen > Pots"}, Availability: event.InStock})
			s.model = train(t, algorithm)
			service := s.serve(t)
			s.write(view("anna", "k3", 1))
			list, err := service.Recommend(t.Context(), &attunev1.RecommendRequest{
				UserId: "anna", Limit: new(int32(6)), Explain: true, ExcludeSeen: true,
			})
			if err != nil {
				t.Fatal(err)
			}
			if list.GetModelVersion() != "v1" || len(list.GetItems()) != 6 {
				t.Fatalf("%v", list)
			}
			for _, i := range list.GetItems()[:3] {
				if !strings.HasPrefix(i.GetItemId(), "k") {
					t.Errorf("a cook is offered %s", i.GetItemId())
				}
				if r := i.GetReasons()[0]; r.GetEventId() != "anna-k3-1" || r.GetShare() <= 0 {
					t.Errorf("%s: reason %v", i.GetItemId(), r)
				}
			}
			if algorithm != cf.Popularity && !slices.Contains(ids(list), "k-new") {
				t.Errorf("no chance for the newcomer: %v", ids(list))
			}
			similar, err := service.SimilarItems(t.Context(), &attunev1.SimilarItemsRequest{ItemId: "g1", Limit: new(int32(3))})
			if err != nil || !strings.HasPrefix(strings.Join(ids(similar), ""), "g") {
				t.Errorf("similar: %v, %v", similar, err)
			}
			together, err := service.BoughtTogether(t.Context(), &attunev1.BoughtTogetherRequest{ItemId: "k5"})
			if got := ids(together); err != nil || len(got) != 2 || !slices.Contains(got, "k4") || !slices.Contains(got, "k6") {
				t.Errorf("together: %v, %v", got, err)
			}
			nobody, err := service.Recommend(t.Context(), &attunev1.RecommendRequest{UserId: "nobody", Limit: new(int32(2))})
			if got := ids(nobody); err != nil || len(got) != 2 || got[0][0] == got[1][0] {
				t.Errorf("for a visitor nobody knows: %v, %v; want one of each category", got, err)
			}
		})
	}
}

// BenchmarkRecommend is one request without its transport: 50,000 items, 200 recent events.
func BenchmarkRecommend(b *testing.B) {
	const items = 50_000
	for _, algorithm := range []string{cf.ItemKNN, cf.ALS} {
		b.Run(algorithm, func(b *testing.B) {
			s := newShop()
			random := rand.New(rand.NewPCG(1, 2))
			data := feedback.NewBuilder()
			all := make([]event.Item, items)
			for n := range all {
				all[n] = event.Item{
					ID: fmt.Sprint("item-", n), Title: fmt.Sprintf("Thing %d", n), Availability: event.InStock,
					Categories: []string{fmt.Sprintf("c%d > d%d", n%20, n%300)},
				}
			}
			for user := range 20_000 {
				for range 20 {
					n := (user%300 + 300*random.IntN(items/300)) % items
					data.Add(fmt.Sprint("u", user), fmt.Sprint("item-", n), 1, noon.Unix())
				}
			}
			s.put(all...)
			s.model = fit(b, data.Build(), cf.Options{Algorithm: algorithm, Iterations: 1})
			for n := range 200 {
				s.write(view("anna", fmt.Sprint("item-", random.IntN(items)), n))
			}
			service := s.serve(b)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := service.Recommend(context.Background(), &attunev1.RecommendRequest{UserId: "anna"}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
