package rank

import (
	"testing"
	"time"

	"github.com/attune-shop/attune/model/cf"
	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/model/feature"
)

// TestSignalsKnowWhenTheLastEventWas, in whatever order the events of a session are.
func TestSignalsKnowWhenTheLastEventWas(t *testing.T) {
	now := time.Unix(1_000_000, 0)
	visitor := &Visitor{Session: []feature.Interaction{
		{Type: event.ViewItem, ItemID: "a", At: now.Add(-time.Minute)},
		{Type: event.ViewItem, ItemID: "b", At: now.Add(-time.Hour)},
		{Type: event.Purchase, ItemID: "a", At: now.Add(-time.Hour)},
	}}
	for _, x := range new(learning).interests(visitor, cf.DefaultWeights(), now) {
		want := map[string]int64{"a": now.Unix() - 60, "b": now.Unix() - 3600}[x.itemID]
		if x.last != want {
			t.Errorf("%s was last at %d, want %d", x.itemID, x.last, want)
		}
	}
}
