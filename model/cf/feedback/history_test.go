package feedback_test

import (
	"slices"
	"testing"

	"github.com/attune-shop/attune/model/cf/feedback"
)

func TestNewHistory(t *testing.T) {
	got := feedback.NewHistory([]feedback.Signal{{Item: 3, Weight: 1, At: 1}, {Item: -1, Weight: 1, At: 2}, {Item: 5, Weight: 2, At: 3}, {Item: 3, Weight: 4, At: 9}})
	if want := []feedback.Signal{{Item: 3, Weight: 1, At: 1}, {Item: 5, Weight: 2, At: 3}, {Item: 3, Weight: 4, At: 9}}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	var long []feedback.Signal
	for i := range int32(feedback.MaxHistory + 5) {
		long = append(long, feedback.Signal{Item: i, Weight: 1})
	}
	if got := feedback.NewHistory(long); len(got) != feedback.MaxHistory || got[0].Item != 5 {
		t.Errorf("%d signals from %v on", len(got), got[0])
	}
}

func TestDatasetHistory(t *testing.T) {
	b := feedback.NewBuilder()
	for _, x := range []struct {
		user, item string
		at         int64
	}{{"u", "b", 5}, {"u", "a", 7}, {"u", "c", 1}, {"u", "b", 9}, {"v", "d", 2}, {"w", "a", 3}} {
		b.Add(x.user, x.item, 1, x.at)
	}
	d := b.Build()
	history, items := d.History("u")
	if want := []feedback.Signal{{2, 1, 1}, {1, 1, 5}, {0, 1, 7}, {1, 1, 9}}; !slices.Equal(history, want) || !slices.Equal(items, []int32{0, 1, 2}) {
		t.Errorf("%v and %v, want %v", history, items, want)
	}
	if history, items := d.History("x"); history != nil || items != nil {
		t.Error("an unknown user did something")
	}
	if i, ok := d.Index("d"); i != 3 || !ok {
		t.Errorf("d is %d, %t", i, ok)
	}
}
