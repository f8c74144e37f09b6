package storetest

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"time"

	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/store"
)

// change changes items behind a revision and returns the new one.
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
		stop := errors.New("stop")
		s.wants(s.ItemChanges(s.ctx, 1, func(store.Seq, store.ItemChange) error { return stop }), stop)
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

var rejectedCases = []testCase{
	{"rejected/great letters", func(s *suite) {
		var letters []store.DeadLetter
		for n, size := range []int{0, 1, 16 << 10, 16<<10 + 1, 600 << 10, 12 << 20} {
			letters = append(letters, store.DeadLetter{ReceivedAt: time.Unix(1, 0), Data: bytes.Repeat([]byte{byte(n + 1)}, size)})
		}
		s.must(s.PutRejected(s.ctx, letters))
		found, err := s.RejectedLetters(s.ctx, "", 100)
		s.must(err)
		if len(found) != len(letters) {
			s.Fatalf("%d letters, want %d", len(found), len(letters))
		}
		var ids []string
		for n, letter := range found {
			one, err := s.RejectedLetter(s.ctx, letter.ID)
			s.must(err)
			if !bytes.Equal(letter.Data, letters[n].Data) || !bytes.Equal(one.Data, letters[n].Data) {
				s.Errorf("letter %d has %d and %d bytes, want %d", n, len(letter.Data), len(one.Data), len(letters[n].Data))
			}
			ids = append(ids, letter.ID)
		}
		s.must(s.DeleteRejected(s.ctx, ids))
		if found, err = s.RejectedLetters(s.ctx, "", 100); err != nil || len(found) != 0 {
			s.Errorf("%d letters after their deletion, %v", len(found), err)
		}
	}},
	{"rejected/letters keep their order and content", func(s *suite) {
		at := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
		for i := range 5 {
			s.must(s.PutRejected(s.ctx, []store.DeadLetter{{ReceivedAt: at, Data: []byte{byte(i), 0xff}, Violations: []event.Violation{{Field: "type", Rule: number(i)}}}}))
			if i == 2 {
				s.crash()
			}
		}
		var got []store.DeadLetter
		for after := ""; ; after = got[len(got)-1].ID {
			page, err := s.RejectedLetters(s.ctx, after, 2)
			s.must(err)
			got = append(got, page...)
			if len(page) < 2 {
				break
			}
		}
		s.equal(5, len(got))
		for i, letter := range got {
			s.equal([]byte{byte(i), 0xff}, letter.Data)
			s.equal(number(i), letter.Violations[0].Rule)
		}
		one, err := s.RejectedLetter(s.ctx, got[1].ID)
		s.must(err)
		s.equal(got[1], one)
		s.must(s.DeleteRejected(s.ctx, []string{got[1].ID, "no such letter"}))
		_, err = s.RejectedLetter(s.ctx, got[1].ID)
		s.wants(err, event.ErrNotFound)
	}},
	{"rejected/an id is not used again", func(s *suite) {
		put := func() string {
			s.must(s.PutRejected(s.ctx, []store.DeadLetter{{Data: []byte("x")}}))
			letters, err := s.RejectedLetters(s.ctx, "", 10)
			s.must(err)
			return letters[len(letters)-1].ID
		}
		first := put()
		s.must(s.DeleteRejected(s.ctx, []string{first}))
		s.reopen()
		if second := put(); second <= first {
			s.Errorf("a letter that came after %s is called %s", first, second)
		}
	}},
	{"rejected/a page goes on behind any string", func(s *suite) {
		s.must(s.PutRejected(s.ctx, []store.DeadLetter{{}, {}}))
		s.must(s.PutRejected(s.ctx, nil))
		all, err := s.RejectedLetters(s.ctx, "", 10)
		s.must(err)
		s.equal(2, len(all))
		for after, want := range map[string]int{all[0].ID: 1, all[1].ID: 0, all[0].ID + "x": 1, "\U0010ffff": 0} {
			page, err := s.RejectedLetters(s.ctx, after, 10)
			s.must(err)
			s.equal(want, len(page))
		}
	}},
}

// failing ends in an error after some bytes.
type failing struct{ left int }

func (f *failing) Read(p []byte) (int, error) {
	if f.left == 0 {
		return 0, errors.New("the writer failed")
	}
	f.left--
	return len(p), nil
}

var modelCases = []testCase{
	{"models/payloads come back, the newest first, one active", func(s *suite) {
		_, err := s.ActiveModel(s.ctx)
		s.wants(err, event.ErrNotFound)
		payload := bytes.Repeat([]byte("weights"), 50_000)
		for _, version := range []string{"1", "2", "3"} {
			s.must(s.SaveModel(s.ctx, store.Model{Version: version, Algorithm: "ease", Evaluations: []store.Evaluation{{Algorithm: "ease", Metrics: map[string]float64{"ndcg@10": .25}}}}, bytes.NewReader(append(payload, version...))))
		}
		s.must(s.SetActiveModel(s.ctx, "2"))
		s.wants(s.SetActiveModel(s.ctx, "9"), event.ErrNotFound)
		s.crash()
		active, err := s.ActiveModel(s.ctx)
		s.must(err)
		s.equal("2", active)
		s.wants(s.DeleteModel(s.ctx, "2"), event.ErrBusy)
		s.must(s.DeleteModel(s.ctx, "3"))
		s.wants(s.DeleteModel(s.ctx, "3"), event.ErrNotFound)
		models, err := s.Models(s.ctx)
		s.must(err)
		s.equal([]string{"2", "1"}, []string{models[0].Version, models[1].Version})
		s.equal(.25, models[0].Evaluations[0].Metrics["ndcg@10"])
		reader, err := s.OpenModel(s.ctx, "1")
		s.must(err)
		got, err := io.ReadAll(reader)
		s.must(err)
		s.must(reader.Close())
		s.equal(true, bytes.Equal(append(payload, '1'), got))
		_, err = s.OpenModel(s.ctx, "3")
		s.wants(err, event.ErrNotFound)
	}},
	{"models/a payload that fails leaves nothing", func(s *suite) {
		if err := s.SaveModel(s.ctx, store.Model{Version: "1"}, &failing{left: 3}); err == nil {
			s.Error("a payload that failed was stored")
		}
		models, err := s.Models(s.ctx)
		s.must(err)
		s.equal(0, len(models))
		_, err = s.OpenModel(s.ctx, "1")
		s.wants(err, event.ErrNotFound)
	}},
	{"models/a version saved again is the new one, or the old one where that fails", func(s *suite) {
		s.must(s.SaveModel(s.ctx, store.Model{Version: "1", Items: 1}, bytes.NewReader([]byte("old"))))
		if err := s.SaveModel(s.ctx, store.Model{Version: "1", Items: 2}, &failing{left: 1}); err == nil {
			s.Error("a payload that failed was stored")
		}
		payload := func(items int) string {
			models, err := s.Models(s.ctx)
			s.must(err)
			s.equal(1, len(models))
			s.equal(items, models[0].Items)
			reader, err := s.OpenModel(s.ctx, "1")
			s.must(err)
			content, err := io.ReadAll(reader)
			s.must(errors.Join(err, reader.Close()))
			return string(content)
		}
		s.equal("old", payload(1))
		s.must(s.SaveModel(s.ctx, store.Model{Version: "1", Items: 3}, bytes.NewReader([]byte("new"))))
		s.crash()
		s.equal("new", payload(3))
	}},
	{"models/any version can be named, and all of a model comes back", func(s *suite) {
		want := []store.Model{
			{Version: "b/../a"}, {Version: "a/b", Algorithm: "als", CreatedAt: time.Date(2026, 3, 1, 12, 30, 0, 1000, time.UTC), Users: 3, Items: 4, Interactions: 5,
				SizeBytes: 6, Choice: "why", Evaluations: []store.Evaluation{{Algorithm: "als", Users: 7, Fit: time.Second, Metrics: map[string]float64{"recall": 1. / 3}}}}, {Version: ".."},
		}
		for _, m := range want {
			s.must(s.SaveModel(s.ctx, m, bytes.NewReader([]byte(m.Version))))
		}
		got, err := s.Models(s.ctx)
		s.must(err)
		s.equal(want, got)
		for _, m := range want {
			reader, err := s.OpenModel(s.ctx, m.Version)
			s.must(err)
			content, err := io.ReadAll(reader)
			s.must(errors.Join(err, reader.Close()))
			s.equal(m.Version, string(content))
		}
	}},
}

var checkpointCases = []testCase{
	{"checkpoints/the last one saved is found", func(s *suite) {
		_, err := s.Checkpoint(s.ctx, "trend")
		s.wants(err, event.ErrNotFound)
		s.must(s.SaveCheckpoint(s.ctx, "trend", []byte("a")))
		s.must(s.SaveCheckpoint(s.ctx, "trend", []byte("b")))
		s.reopen()
		data, err := s.Checkpoint(s.ctx, "trend")
		s.must(err)
		s.equal("b", string(data))
	}},
}

var leaseCases = []testCase{
	{"leases/one holder at a time", func(s *suite) {
		s.must(s.Lease(s.ctx, "work", "ann", time.Minute))
		s.must(s.Lease(s.ctx, "work", "ann", time.Minute))
		s.wants(s.Lease(s.ctx, "work", "bob", time.Minute), event.ErrBusy)
		s.must(s.Lease(s.ctx, "play", "bob", time.Minute))
		s.must(s.EndLease(s.ctx, "work", "bob"))
		s.wants(s.Lease(s.ctx, "work", "bob", time.Minute), event.ErrBusy)
		s.must(s.EndLease(s.ctx, "work", "ann"))
		s.must(s.Lease(s.ctx, "work", "bob", time.Minute))
		s.wants(s.Lease(s.ctx, "work", "ann", time.Minute), event.ErrBusy)
	}},
	{"leases/a lease ends with its time", func(s *suite) {
		s.must(s.Lease(s.ctx, "work", "ann", time.Second))
		for {
			err := s.Lease(s.ctx, "work", "bob", time.Minute)
			if err == nil {
				break
			}
			s.wants(err, event.ErrBusy)
			time.Sleep(20 * time.Millisecond)
		}
		s.wants(s.Lease(s.ctx, "work", "ann", time.Second), event.ErrBusy)
	}},
}
