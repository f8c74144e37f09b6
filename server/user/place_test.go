package user

import (
	"errors"
	"testing"
	"time"

	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/server/fault"
)

// FuzzPlace reads page tokens that carry the right sum, so that what is in them is read.
func FuzzPlace(f *testing.F) {
	f.Add("{")
	f.Add(`{"at":1,"event_id":"e","visitor":"u:ann"}`)
	f.Fuzz(func(t *testing.T, value string) {
		position, err := readPlace("list", fault.EncodeToken("list", value))
		var invalid *event.InvalidError
		if err != nil && !errors.As(err, &invalid) {
			t.Fatalf("error is %v", err)
		}
		if err == nil && position.OccurredAt.Location() != time.UTC {
			t.Fatalf("a time in %v", position.OccurredAt.Location())
		}
	})
}
