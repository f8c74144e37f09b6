package history_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/store/history"
)

// TestAVisitorOfGreatEvents sends more of them than a partition of a store should hold: views
// end at one bound, purchases go on to another, and what was stored stays.
func TestAVisitorOfGreatEvents(t *testing.T) {
	s := open(t)
	attributes := []byte(`{"a":"` + strings.Repeat("x", 60<<10) + `"}`)
	sent := 0
	fill := func(t event.Type) (accepted int64) {
		for {
			events := make([]event.Event, 100)
			for i := range events {
				sent++
				events[i] = view("heavy", fmt.Sprint(sent), "lamp", time.Duration(sent)*time.Millisecond)
				events[i].Type, events[i].Attributes = t, attributes
			}
			for _, outcome := range s.write(events...) {
				if outcome == history.Full {
					return accepted
				}
				accepted++
			}
		}
	}
	views := fill(event.ViewItem)
	if got := views * int64(len(attributes)); got > history.MaxBytes+2<<20 || got < history.MaxBytes-2<<20 {
		t.Errorf("%d bytes of views, want %d", got, history.MaxBytes)
	}
	orders := fill(event.Purchase)
	if got := orders * int64(len(attributes)); got > history.MaxOrderBytes+2<<20 || got < history.MaxOrderBytes-4<<20 {
		t.Errorf("%d bytes of purchases, want %d", got, history.MaxOrderBytes)
	}
	s.close()
	s.reopen()
	p, err := s.Person(t.Context(), event.User("heavy"))
	if err != nil || p.State.Events() != views+orders {
		t.Errorf("%d events after a restart, want %d and %d; %v", p.State.Events(), views, orders, err)
	}
	if got := s.write(view("heavy", "one more", "lamp", time.Hour)); got[0] != history.Full {
		t.Errorf("one more view is %d", got[0])
	}
	if got := s.write(view("other", "one more", "lamp", time.Hour)); got[0] != history.Accepted {
		t.Errorf("another visitor's view is %d", got[0])
	}
}
