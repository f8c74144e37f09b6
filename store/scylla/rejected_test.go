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
