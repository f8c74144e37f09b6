package storetest

import (
	"strings"
	"time"

	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/store"
)

// change changes items after a revision and returns the new one.
func (s *suite) change(newest store.Seq, change store.ItemChange) store.Seq {
	s.Helper()
	revision, err := s.ChangeItems(s.ctx, newest, change)
	s.must(err)
	return revision
}

// items returns what is in the catalog, and its revision.
func (s *suite) items() (map[string]event.Item, store.Seq) {
	s.Helper()
	got := map[string]event.Item{}
	revision, err := s.Items(s.ctx, func(item event.Item) error {
		if _, again := got[item.ID]; again {
			s.Errorf("%s came again", item.ID)
		}
		got[item.ID] = item
		return nil
	})
	s.must(err)
	return got, revision
}

var catalogCases = []testCase{
	{"catalog/items are stored whole and survive a crash", func(s *suite) {
		lamp := event.Item{ID: "lamp", Title: "Lamp", Categories: []string{"Home > Lighting"}, Brand: "Acme", Price: event.Money{Currency: "EUR", Minor: 1999},
			Availability: event.InStock, AvailableUntil: time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC), Attributes: []byte(`{"colour":"red"}`)}
		revision := s.change(0, store.ItemChange{Put: []event.Item{{ID: "lamp", Title: "old"}, {ID: "日本"}, {ID: "rake"}}})
		s.change(revision, store.ItemChange{Put: []event.Item{lamp}, Delete: []string{"rake", "never there"}})
		s.crash()
		got, _ := s.items()
		s.equal(map[string]event.Item{"lamp": lamp, "日本": {ID: "日本"}}, got)
	}},
	{"catalog/a change needs the newest revision", func(s *suite) {
		_, before := s.items()
		revision := s.change(before, store.ItemChange{Put: []event.Item{{ID: "lamp"}}})
		_, err := s.ChangeItems(s.ctx, before, store.ItemChange{Delete: []string{"lamp"}})
		s.wants(err, store.ErrTaken)
		got, now := s.items()
		s.equal(1, len(got))
		s.equal(revision, now)
		s.change(now, store.ItemChange{Delete: []string{"lamp"}})
		got, _ = s.items()
		s.equal(0, len(got))
	}},
	{"catalog/a shared one gives the changes of others in order", func(s *suite) {
		if !s.Shared() {
			s.Skip("nobody else makes changes")
		}
		changes := []store.ItemChange{
			{Put: []event.Item{{ID: "lamp", Title: "1"}, {ID: "rake"}}}, {Put: []event.Item{{ID: "lamp", Title: "2"}}}, {Delete: []string{"lamp"}},
		}
		revision := store.Seq(0)
		for _, change := range changes {
			revision = s.change(revision, change)
		}
		var got []store.ItemChange
		last := store.Seq(0)
		s.must(s.ItemChanges(s.ctx, 0, func(revision store.Seq, change store.ItemChange) error {
			if revision <= last {
				s.Errorf("revision %d came after %d", revision, last)
			}
			last = revision
			got = append(got, change)
			return nil
		}))
		s.equal(changes, got)
		s.equal(revision, last)
	}},
	{"catalog/a change of ten thousand items", func(s *suite) {
		var change store.ItemChange
		for i := range 10_000 {
			change.Put = append(change.Put, event.Item{ID: "item-" + number(i), Title: strings.Repeat("x", 300)})
		}
		s.change(0, change)
		got, _ := s.items()
		s.equal(len(change.Put), len(got))
	}},
}
