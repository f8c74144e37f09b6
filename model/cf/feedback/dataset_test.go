package feedback_test

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/attune-shop/attune/model/cf/cftest"
	"github.com/attune-shop/attune/model/cf/feedback"
)

// TestOrderDoesNotMatter: whatever the order of the calls, the dataset is the same.
func TestOrderDoesNotMatter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		type add struct {
			User, Item string
			Weight     float32
			At         int64
		}
		adds := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) add {
			return add{
				User: rapid.StringMatching("[ab]{0,2}").Draw(t, "user"), Item: rapid.StringMatching("[xyz]{0,2}").Draw(t, "item"),
				Weight: rapid.Float32().Draw(t, "weight"), At: rapid.Int64().Draw(t, "at"),
			}
		}), 0, 40).Draw(t, "adds")
		baskets := rapid.SliceOfN(rapid.SliceOfN(rapid.StringMatching("[xyz]{0,2}"), 0, 5), 0, 8).Draw(t, "baskets")
		build := func(seed uint64) *feedback.Dataset {
			random := rand.New(rand.NewPCG(seed, 0))
			b := feedback.NewBuilder()
			for _, k := range random.Perm(len(baskets)) {
				b.AddBasket(baskets[k])
			}
			for _, k := range random.Perm(len(adds)) {
				b.Add(adds[k].User, adds[k].Item, adds[k].Weight, adds[k].At)
			}
			return b.Build()
		}
		a, b := build(1), build(rapid.Uint64().Draw(t, "order"))
		if !reflect.DeepEqual(a, b) && fmt.Sprint(a) != fmt.Sprint(b) {
			t.Fatalf("%+v\n%+v", a, b)
		}
	})
}

func TestTransposeTwice(t *testing.T) {
	d := cftest.Shop(1, 40, 30, 300)
	twice := d.ByItem().Transpose()
	if !reflect.DeepEqual(twice, *d.ByUser()) {
		t.Fatal("transposed twice is not the same")
	}
}

func TestRobotsAreBounded(t *testing.T) {
	b := feedback.NewBuilder()
	for i := range 100_000 {
		b.Add("robot", cftest.Name("i", i%5000), 1, int64(i))
	}
	d := b.Build()
	columns, _ := d.ByUser().Row(0)
	if len(columns) != feedback.MaxItemsPerUser || d.Interactions() != 100_000 {
		t.Fatalf("%d items, %d interactions", len(columns), d.Interactions())
	}
	newest, _ := slices.BinarySearch(d.ItemIDs(), cftest.Name("i", 4999))
	oldest, _ := slices.BinarySearch(d.ItemIDs(), cftest.Name("i", 0))
	if _, ok := slices.BinarySearch(columns, int32(newest)); !ok {
		t.Error("the newest item is not there")
	}
	if _, ok := slices.BinarySearch(columns, int32(oldest)); ok {
		t.Error("the oldest item is there")
	}
}

// TestLog: a dataset tells all that was added, each user's in the order of History.
func TestLog(t *testing.T) {
	b := feedback.NewBuilder()
	added := []feedback.Interaction{{"a", "x", 2, 9}, {"b", "y", 1, 3}, {"b", "x", 1, 7}, {"b", "y", 5, 7}, {"b", "y", 5, 7}}
	for _, x := range slices.Backward(added) {
		b.Add(x.UserID, x.ItemID, x.Weight, x.At)
	}
	d := b.Build()
	if got := slices.Collect(d.Log()); !slices.Equal(got, added) {
		t.Errorf("%v, want %v", got, added)
	}
	for x := range d.Log() {
		if x != added[0] {
			t.Fatal(x)
		}
		break
	}
}
