package rank

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/attune-shop/attune/model/cf"
	"github.com/attune-shop/attune/model/cf/feedback"
	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/model/feature"
	"github.com/attune-shop/attune/model/rank/expr"
	"github.com/attune-shop/attune/model/trend"
)

// TestEveryListKeepsItsPromises makes lists of random shops and checks what holds for all:
// the length, each item once, nothing that is left out, scores that never rise, variety,
// and the same list for the same question.
func TestEveryListKeepsItsPromises(t *testing.T) {
	rules, err := expr.NewCompiler()
	if err != nil {
		t.Fatal(err)
	}
	filter, err := rules.Filter("item.price.minor_units % 2 == 0")
	if err != nil {
		t.Fatal(err)
	}
	boost, err := rules.Boost("item.brand == 'even' ? 3.0 : 0.5")
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(rt *rapid.T) {
		shop, visitor := randomShop(rt, t)
		q := &Query{
			Limit:          rapid.IntRange(1, 30).Draw(rt, "limit"),
			MaxPerCategory: rapid.IntRange(0, 3).Draw(rt, "max per category"),
			ExcludeSeen:    rapid.Bool().Draw(rt, "exclude seen"),
			Exclude:        map[string]struct{}{"i1": {}, "i2": {}},
			Explain:        true,
		}
		if rapid.Bool().Draw(rt, "filtered") {
			q.Filter = filter
		}
		if rapid.Bool().Draw(rt, "boosted") {
			q.Boost = boost
		}
		first, err := Recommend(context.Background(), shop, visitor, q, &Scratch{})
		if err != nil {
			rt.Fatal(err)
		}
		checkList(rt, shop, visitor, q, first)
		again, err := Recommend(context.Background(), shop, visitor, q, &Scratch{})
		if err != nil || !slices.EqualFunc(first, again, func(a, b Entry) bool { return a.ItemID == b.ItemID && a.Score == b.Score }) {
			rt.Fatalf("asked twice: %v and %v, %v", first, again, err)
		}
	})
}

func nothing() []trend.Count { return nil }

func randomShop(rt *rapid.T, t *testing.T) (*Shop, *Visitor) {
	w := newWorld(t)
	w.model = &table{numbers: map[string]int32{}, goes: map[int32]map[int32]float32{}, with: map[int32]map[int32]float32{}}
	for n := range rapid.IntRange(0, 40).Draw(rt, "items") {
		id := fmt.Sprint("i", n)
		w.items[id] = &event.Item{
			ID: id, Categories: []string{fmt.Sprintf("c%d > d%d", n%4, n%7)}, Brand: []string{"even", "odd"}[n%2],
			Price: event.Money{Currency: "EUR", Minor: int64(n)}, Availability: event.Availability(1 + n%4),
		}
		if rapid.Bool().Draw(rt, "known") {
			row := w.model.number(id)
			w.model.goes[row] = map[int32]float32{}
			for range 5 {
				to := int32(rapid.IntRange(0, len(w.model.ids)-1).Draw(rt, "to"))
				w.model.goes[row][to] = float32(rapid.IntRange(-2, 9).Draw(rt, "weight"))
			}
			w.model.popular = append(w.model.popular, cf.Candidate{Item: row, Score: 1})
		}
	}
	visitor := &Visitor{Key: event.User("anna"), State: &feature.State{}}
	for n := range rapid.IntRange(0, 10).Draw(rt, "events") {
		visitor.State.Fold(&event.Event{
			ID: fmt.Sprint("e", n), Type: event.ViewItem, UserID: "anna", OccurredAt: w.now.Add(-time.Duration(n) * time.Hour),
			ItemID: fmt.Sprint("i", rapid.IntRange(0, 45).Draw(rt, "item")),
		})
	}
	shop := &Shop{Model: w.model, Catalog: w, Trending: nothing, Now: w.now, Weights: feedback.DefaultWeights()}
	shop.Content = NewContent(w, shop.Model)
	return shop, visitor
}

func checkList(t *rapid.T, shop *Shop, visitor *Visitor, q *Query, list []Entry) {
	if len(list) > q.Limit {
		t.Fatalf("%d items of %d", len(list), q.Limit)
	}
	seen := visitor.seen()
	once := map[string]bool{}
	perCategory := map[string]int{}
	for i, e := range list {
		if once[e.ItemID] {
			t.Fatalf("%s twice", e.ItemID)
		}
		once[e.ItemID] = true
		if i > 0 && e.Score > list[i-1].Score {
			t.Fatalf("scores rise: %v", list)
		}
		if _, ok := q.Exclude[e.ItemID]; ok {
			t.Fatalf("%s is left out", e.ItemID)
		}
		if _, ok := seen[e.ItemID]; ok && q.ExcludeSeen {
			t.Fatalf("%s was seen", e.ItemID)
		}
		if len(e.Reasons) == 0 || e.Reasons[0].Text == "" {
			t.Fatalf("%s has no reason", e.ItemID)
		}
		item, ok := shop.Catalog.Item(e.ItemID)
		if !ok {
			continue
		}
		if !item.AvailableAt(shop.Now) || q.Filter != nil && item.Price.Minor%2 != 0 {
			t.Fatalf("%s cannot be in the list", e.ItemID)
		}
		if perCategory[topCategory(item)]++; q.MaxPerCategory > 0 && perCategory[topCategory(item)] > q.MaxPerCategory {
			t.Fatalf("more than %d of %s", q.MaxPerCategory, topCategory(item))
		}
	}
}

func TestARuleThatCostsTooMuchFails(t *testing.T) {
	rules, err := expr.NewCompiler()
	if err != nil {
		t.Fatal(err)
	}
	// Some 10,000 an evaluation, which one may cost; a hundred of them may not.
	digits := "[0,1,2,3,4,5,6,7,8,9]"
	filter, err := rules.Filter(digits + ".all(a, " + digits + ".all(b, " + digits + ".all(c, a+b+c >= 0))) && item.item_id == ''")
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t)
	for n := range 2000 {
		w.items[fmt.Sprint(n)] = &event.Item{ID: fmt.Sprint(n), Availability: event.InStock}
	}
	shop := &Shop{Catalog: w, Trending: nothing, Now: w.now, Content: NewContent(w, nil)}
	_, err = Recommend(context.Background(), shop, &Visitor{}, &Query{Limit: 10, Filter: filter}, &Scratch{})
	var invalid *event.InvalidError
	if !errors.As(err, &invalid) || invalid.Violations[0].Field != "filter" {
		t.Errorf("%v", err)
	}
}

func BenchmarkRecommend(b *testing.B) {
	const items = 50_000
	w := &world{items: map[string]*event.Item{}}
	m := &table{numbers: map[string]int32{}}
	for n := range items {
		id := fmt.Sprint("item-", n)
		w.items[id] = &event.Item{
			ID: id, Title: fmt.Sprintf("Thing %d of kind %d", n, n%100), Categories: []string{fmt.Sprintf("c%d > d%d", n%20, n%300)},
			Brand: fmt.Sprint("b", n%50), Price: event.Money{Currency: "EUR", Minor: int64(n)}, Availability: event.InStock,
		}
		m.number(id)
	}
	now := time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)
	visitor := &Visitor{Key: event.User("anna"), State: &feature.State{}}
	for n := range 200 {
		visitor.State.Fold(&event.Event{
			ID: fmt.Sprint("e", n), Type: event.ViewItem, UserID: "anna", OccurredAt: now.Add(-time.Duration(n) * time.Hour),
			ItemID: fmt.Sprint("item-", n*7),
		})
	}
	model := &scattered{table: m, scores: make([]cf.Candidate, 10_000)}
	shop := &Shop{Model: model, Catalog: w, Trending: nothing, Now: now, Weights: feedback.DefaultWeights()}
	shop.Content = NewContent(w, model)
	rules, err := expr.NewCompiler()
	if err != nil {
		b.Fatal(err)
	}
	filter, err := rules.Filter("item.price.minor_units < 25000 && item.brand != 'b1'")
	if err != nil {
		b.Fatal(err)
	}
	boost, err := rules.Boost("user.category_affinity['c1 > d1'] > 0.1 ? 2.0 : 1.0")
	if err != nil {
		b.Fatal(err)
	}
	for name, q := range map[string]*Query{
		"plain":   {Limit: 20, ExcludeSeen: true},
		"filter":  {Limit: 20, Filter: filter},
		"boost":   {Limit: 20, Boost: boost},
		"explain": {Limit: 20, Explain: true},
	} {
		b.Run(name, func(b *testing.B) {
			scratch := &Scratch{}
			b.ReportAllocs()
			for b.Loop() {
				if list, err := Recommend(context.Background(), shop, visitor, q, scratch); err != nil || len(list) != 20 {
					b.Fatal(list, err)
				}
			}
		})
	}
}

// scattered is a model that gives the same 10,000 scores to everybody, in no order.
type scattered struct {
	*table
	scores []cf.Candidate
}

func (m *scattered) Score([]feedback.Signal, *cf.Scratch) []cf.Candidate {
	for i := range m.scores {
		m.scores[i] = cf.Candidate{Item: int32(i), Score: float32(i*7919%10007) + 1}
	}
	return m.scores
}

func (m *scattered) ScoreItems(history []feedback.Signal, _ []int32, scratch *cf.Scratch) []cf.Candidate {
	return m.Score(history, scratch)
}
