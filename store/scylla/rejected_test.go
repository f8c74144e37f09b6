package scylla

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sync/errgroup"

	"github.com/attune-shop/attune/store"
)

// TestLettersOfTwoProcesses has two of them take numbers for dead letters at the same time.
func TestLettersOfTwoProcesses(t *testing.T) {
	const times = 200
	keyspace := freshKeyspace(t)
	var putting errgroup.Group
	want := map[string]int{}
	var stores []*Store
	for name := range 2 {
		s := opened(t, keyspace)
		stores = append(stores, s)
		var batches [][]store.DeadLetter
		for n := range times {
			var letters []store.DeadLetter
			for i := range n%3 + 1 {
				data := fmt.Sprint(name, "-", n, "-", i)
				letters = append(letters, store.DeadLetter{Data: []byte(data)})
				want[data] = 1
			}
			batches = append(batches, letters)
		}
		putting.Go(func() error {
			for _, letters := range batches {
				if err := s.PutRejected(t.Context(), letters); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := putting.Wait(); err != nil {
		t.Fatal(err)
	}
	for _, s := range stores {
		letters, err := s.RejectedLetters(t.Context(), "", 2*len(want))
		if err != nil {
			t.Fatal(err)
		}
		got, ids := map[string]int{}, map[string]bool{}
		for _, letter := range letters {
			got[string(letter.Data)]++
			ids[letter.ID] = true
		}
		if len(ids) != len(letters) {
			t.Errorf("%d ids of %d letters", len(ids), len(letters))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("letters (-want +got):\n%s", diff)
		}
	}
}

// TestALetterThatLandsLate: its number was taken long before those of letters that were put,
// listed and deleted meanwhile. It is listed all the same, until nobody can store any more.
func TestALetterThatLandsLate(t *testing.T) {
	s := opened(t, freshKeyspace(t))
	listed := func() (data []string) {
		t.Helper()
		letters, err := s.RejectedLetters(t.Context(), "", 10_000)
		if err != nil {
			t.Fatal(err)
		}
		var ids []string
		for _, letter := range letters {
			data, ids = append(data, string(letter.Data)), append(ids, letter.ID)
		}
		if err := s.DeleteRejected(t.Context(), ids); err != nil {
			t.Fatal(err)
		}
		return data
	}
	late, err := s.takeNumbers(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.PutRejected(t.Context(), make([]store.DeadLetter, 3*lettersSegment)); err != nil {
		t.Fatal(err)
	}
	for len(listed()) > 0 {
	}
	if _, err := s.takeNumbers(t.Context(), 100*lettersSegment); err != nil { // a long queue, all gone
		t.Fatal(err)
	}
	if err := s.PutRejected(t.Context(), []store.DeadLetter{{Data: []byte("last")}}); err != nil {
		t.Fatal(err)
	}
	row := fmt.Sprintf(`{"ID":%q,"Data":"bGF0ZQ=="}`, letterID(late))
	if err := s.exec(t.Context(), `INSERT INTO letters (segment, number, data) VALUES (?, ?, ?)`, late/lettersSegment, late, []byte(row)); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"late", "last"}, listed()); diff != "" {
		t.Errorf("letters (-want +got):\n%s", diff)
	}
	// Two takes later, each after the time in which letters land, the beginning is forgotten.
	for range 2 {
		if err := changeRegister(t.Context(), s, lettersRegister, func(n *numbering) error {
			n.Since = n.Since.Add(-settledAfter)
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		if _, err := s.takeNumbers(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
	}
	listed()
	var n numbering
	if _, err := s.register(t.Context(), lettersRegister, &n); err != nil || n.Gone < 100*lettersSegment || n.Gone > n.Settled {
		t.Errorf("%+v, %v", n, err)
	}
}
