package history_test

import (
	"fmt"
	"testing"

	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/store/history"
)

// TestAnonymousIDsOfOnePersonAreBounded: of very many the first count, whatever came when.
func TestAnonymousIDsOfOnePersonAreBounded(t *testing.T) {
	s := open(t)
	const extra = 20
	device := func(i int) string { return fmt.Sprintf("device-%04d", i) }
	var events []event.Event
	for i := range history.MaxLinked + extra {
		// The last ones come first.
		e := view("", fmt.Sprint("view-", i), "lamp", 0)
		e.AnonymousID = device(history.MaxLinked + extra - 1 - i)
		login := e
		login.ID, login.UserID = fmt.Sprint("login-", i), "shared"
		events = append(events, e, login)
	}
	s.write(events...)
	p, err := s.Person(t.Context(), event.User("shared"))
	if err != nil {
		t.Fatal(err)
	}
	if n := len(p.AnonymousIDs); n != history.MaxLinked || p.AnonymousIDs[0] != device(0) || p.AnonymousIDs[n-1] != device(n-1) {
		t.Errorf("%d anonymous ids, from %s to %s", n, p.AnonymousIDs[0], p.AnonymousIDs[n-1])
	}
	// The user's own, and what was done under the ids that count.
	if n := p.State.Events(); n != history.MaxLinked+extra+history.MaxLinked {
		t.Errorf("%d events", n)
	}
	all, err := s.Events(t.Context(), event.User("shared"), history.EventQuery{Limit: 10_000})
	if err != nil || int64(len(all)) != p.State.Events() {
		t.Errorf("%d events are listed, %v", len(all), err)
	}
	if owner := s.count(event.Anonymous(device(history.MaxLinked + 1))); owner != p.State.Events() {
		t.Errorf("an id that does not count leads to %d events", owner)
	}
}
