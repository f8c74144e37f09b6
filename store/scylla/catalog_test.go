package scylla

import (
	"errors"
	"fmt"
	"testing"

	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/store"
)

// TestChangesThatExpired has rows of the catalog's changes end as their time to live ends them.
func TestChangesThatExpired(t *testing.T) {
	s := opened(t, freshKeyspace(t))
	const last = 4
	for revision := range store.Seq(last) {
		change := store.ItemChange{Put: []event.Item{{ID: fmt.Sprint("item ", revision+1)}}}
		if got, err := s.ChangeItems(t.Context(), revision, change); err != nil || got != revision+1 {
			t.Fatal(got, err)
		}
	}
	for expired := range store.Seq(last + 1) {
		if expired > 0 {
			err := s.session.Query(`DELETE FROM log WHERE stream = ? AND segment = ? AND seq = ?`, catalogStream, segmentOf(expired), int64(expired)).Exec()
			if err != nil {
				t.Fatal(err)
			}
		}
		for after := range store.Seq(last + 1) {
			next := after
			err := s.ItemChanges(t.Context(), after, func(revision store.Seq, change store.ItemChange) error {
				next++
				if want := fmt.Sprint("item ", next); revision != next || len(change.Put) != 1 || change.Put[0].ID != want {
					t.Errorf("revision %d with %v, want %d with %s", revision, change, next, want)
				}
				return nil
			})
			switch {
			case after < expired:
				if !errors.Is(err, event.ErrNotFound) || next != after {
					t.Errorf("%d expired: the changes after %d ended at %d with %v", expired, after, next, err)
				}
			case err != nil || next != last:
				t.Errorf("%d expired: the changes after %d ended at %d with %v", expired, after, next, err)
			}
		}
	}
	// The items have all of them, and the next change goes on from there.
	items := 0
	revision, err := s.Items(t.Context(), func(event.Item) error { items++; return nil })
	if err != nil || revision != last || items != last {
		t.Errorf("%d items at revision %d, %v", items, revision, err)
	}
	if _, err := s.ChangeItems(t.Context(), last-1, store.ItemChange{Delete: []string{"item 1"}}); !errors.Is(err, store.ErrTaken) {
		t.Errorf("a change on an old revision: %v", err)
	}
	if revision, err := s.ChangeItems(t.Context(), last, store.ItemChange{Delete: []string{"item 1"}}); err != nil || revision != last+1 {
		t.Errorf("the next change has revision %d, %v", revision, err)
	}
}
