package storetest

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/store"
)

func record(v event.Visitor, id string, seq store.Seq, data string) store.Record {
	return store.Record{Visitor: v, EventID: id, Seq: seq, Data: []byte(data)}
}

// events returns what shard 0 holds of a visitor.
func (s *suite) events(v event.Visitor) []store.Record {
	s.Helper()
	var got []store.Record
	s.must(s.ReadEvents(s.ctx, 0, v, func(r store.Record) error {
		r.Data = append([]byte{}, r.Data...)
		got = append(got, r)
		return nil
	}))
	return got
}

var eventCases = []testCase{
	{"events/once an id, in the order of ids, the least number counts", func(s *suite) {
		v := s.inShard(0, 2)
		a, b, late := record(v[0], "a", 2, "first"), record(v[0], "b", 1, "only"), record(v[0], "a", 7, "second")
		s.must(s.PutEvents(s.ctx, 0, []store.Record{late, b, a, record(v[1], "a", 3, "other")}))
		s.must(s.PutEvents(s.ctx, 0, []store.Record{a, b}))
		s.must(s.PutEvents(s.ctx, 0, nil))
		s.equal([]store.Record{a, b}, s.events(v[0]))
	}},
	{"events/ids that begin alike are told apart", func(s *suite) {
		v := s.inShard(0, 1)[0]
		s.must(s.PutEvents(s.ctx, 0, []store.Record{record(v, "ab", 1, "x"), record(v+"2", "a", 1, "y"), record(v, "日本", 1, "z")}))
		keys := []store.Record{record(v, "a", 0, ""), record(v, "ab", 0, ""), record(v, "abc", 0, ""), record(v+"2", "ab", 0, ""), record(v, "日本", 0, ""), record(v, "日", 0, "")}
		there, err := s.HasEvents(s.ctx, 0, keys)
		s.must(err)
		s.equal([]bool{false, true, false, false, true, false}, there)
		s.equal(2, len(s.events(v)))
		none, err := s.HasEvents(s.ctx, 0, nil)
		s.must(err)
		s.equal(0, len(none))
	}},
	{"events/a scan goes through all shards, visitor by visitor", func(s *suite) {
		want := map[event.Visitor]int{}
		for shard := range 2 {
			for i, v := range s.inShard(shard, 5) {
				for n := range i + 1 {
					s.must(s.PutEvents(s.ctx, shard, []store.Record{record(v, number(n), store.Seq(n+1), "x")}))
				}
				want[v] = i + 1
			}
		}
		last, got := event.Visitor(""), map[event.Visitor]int{}
		s.must(s.ScanEvents(s.ctx, func(r store.Record) error {
			if r.Visitor != last && got[r.Visitor] > 0 {
				s.Errorf("%q came again", r.Visitor)
			}
			last = r.Visitor
			got[r.Visitor]++
			return nil
		}))
		s.equal(want, got)
	}},
	{"events/a scan, too, gives an id once, by its least number", func(s *suite) {
		v := s.inShard(0, 2)
		want := []store.Record{record(v[0], "a", 1, "first"), record(v[0], "b", 4, "only"), record(v[1], "a", 3, "first")}
		s.must(s.PutEvents(s.ctx, 0, append([]store.Record{record(v[0], "a", 300, "third"), record(v[0], "a", 2, "second"), record(v[1], "a", 9, "second")}, want...)))
		var got []store.Record
		s.must(s.ScanEvents(s.ctx, func(r store.Record) error {
			r.Data = append([]byte{}, r.Data...)
			got = append(got, r)
			return nil
		}))
		// Visitors come in any order, their events in that of ids.
		byVisitor := func(a, b store.Record) int { return cmp.Compare(a.Visitor, b.Visitor) }
		slices.SortStableFunc(want, byVisitor)
		slices.SortStableFunc(got, byVisitor)
		s.equal(want, got)
	}},
	{"events/shards are apart", func(s *suite) {
		a, b := s.inShard(0, 1)[0], s.inShard(1, 1)[0]
		s.must(s.PutEvents(s.ctx, 0, []store.Record{record(a, "x", 1, "")}))
		s.must(s.PutEvents(s.ctx, 1, []store.Record{record(b, "x", 1, "")}))
		s.equal(1, len(s.events(a)))
		there, err := s.HasEvents(s.ctx, 1, []store.Record{record(b, "x", 0, ""), record(b, "y", 0, "")})
		s.must(err)
		s.equal([]bool{true, false}, there)
	}},
	{"events/odd ids are ids", func(s *suite) {
		v := s.inShard(0, 1)[0]
		ids := []string{" ", "%00", "/", "\u00ad", "é", "e\u0301", "\U0010ffff", "日本", strings.Repeat("x", 256)}
		var records []store.Record
		for i, id := range ids {
			records = append(records, record(v, id, store.Seq(i+1), id))
		}
		s.must(s.PutEvents(s.ctx, 0, records))
		there, err := s.HasEvents(s.ctx, 0, records)
		s.must(err)
		slices.Sort(ids)
		var got []string
		for i, r := range s.events(v) {
			got = append(got, r.EventID)
			s.equal(r.EventID, string(r.Data))
			s.equal(true, there[i])
		}
		s.equal(ids, got)
	}},
	{"events/many of one visitor, some of them flushed", func(s *suite) {
		v := s.inShard(0, 1)[0]
		const n = 3000
		for from := 0; from < n; from += 500 {
			var records []store.Record
			for i := from; i < from+500; i++ {
				records = append(records, record(v, "id-"+number(i), store.Seq(from+1), "x"))
			}
			s.must(s.PutEvents(s.ctx, 0, records))
			if from == 1000 {
				s.reopen()
			}
		}
		s.equal(n, len(s.events(v)))
		keys := make([]store.Record, 2*n)
		for i := range keys {
			keys[i] = record(v, "id-"+number(i), 0, "")
		}
		there, err := s.HasEvents(s.ctx, 0, keys)
		s.must(err)
		for i := range keys {
			if there[i] != (i < n) {
				s.Fatalf("%s is there: %v", keys[i].EventID, there[i])
			}
		}
	}},
}

var visitorCases = []testCase{
	{"events/each visitor is found once", func(s *suite) {
		want := map[event.Visitor]bool{}
		for shard := range min(s.Shards(), 3) {
			for i, v := range s.inShard(shard, 4) {
				want[v] = true
				for n := range 1 + 2*i {
					s.must(s.PutEvents(s.ctx, shard, []store.Record{{Visitor: v, EventID: number(n), Seq: 1, Data: []byte("data")}}))
				}
			}
		}
		found := map[event.Visitor]int{}
		s.must(s.ScanVisitors(s.ctx, func(v event.Visitor) error { found[v]++; return nil }))
		for v := range want {
			s.equal(1, found[v])
		}
		s.equal(len(want), len(found))
		failed := errors.New("failed")
		s.wants(s.ScanVisitors(s.ctx, func(event.Visitor) error { return failed }), failed)
	}},
}

var linkCases = []testCase{
	{"links/the least link owns", func(s *suite) {
		at := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
		link := func(user, id string, after time.Duration) event.Link {
			return event.Link{AnonymousID: "device", UserID: user, OccurredAt: at.Add(after), EventID: id}
		}
		_, err := s.Owner(s.ctx, "device")
		s.wants(err, event.ErrNotFound)
		s.must(s.PutLinks(s.ctx, []event.Link{link("carl", "z", time.Minute), link("bob", "b", 0)}))
		s.must(s.PutLinks(s.ctx, []event.Link{link("ann", "a", 0), link("bob", "b", 0)}))
		least, err := s.Owner(s.ctx, "device")
		s.must(err)
		s.equal(link("ann", "a", 0), least)
		s.must(s.PutLinks(s.ctx, []event.Link{link("dora", "x", -60*365*24*time.Hour)}))
		least, err = s.Owner(s.ctx, "device")
		s.must(err)
		s.equal("dora", least.UserID)
		_, err = s.Owner(s.ctx, "devic")
		s.wants(err, event.ErrNotFound)
	}},
	{"links/a user's are listed once, in order", func(s *suite) {
		at := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
		for i, device := range []string{"c", "a", "b", "a"} {
			s.must(s.PutLinks(s.ctx, []event.Link{{AnonymousID: device, UserID: "ann", OccurredAt: at, EventID: number(i)}}))
		}
		s.must(s.PutLinks(s.ctx, []event.Link{{AnonymousID: "d", UserID: "anna", OccurredAt: at, EventID: "e"}}))
		ids, err := s.LinkedTo(s.ctx, "ann", 10)
		s.must(err)
		s.equal([]string{"a", "b", "c"}, ids)
		none, err := s.LinkedTo(s.ctx, "nobody", 10)
		s.must(err)
		s.equal(0, len(none))
	}},
	{"links/whom an anonymous visitor was seen with is listed once, in order", func(s *suite) {
		at := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
		for i, user := range []string{"carl", "ann", "bob", "ann"} {
			s.must(s.PutLinks(s.ctx, []event.Link{{AnonymousID: "device", UserID: user, OccurredAt: at.Add(time.Duration(-i) * time.Hour), EventID: number(i)}}))
		}
		s.must(s.PutLinks(s.ctx, []event.Link{{AnonymousID: "device2", UserID: "dora", OccurredAt: at, EventID: "e"}}))
		for limit := 1; limit < 5; limit++ {
			users, err := s.SeenWith(s.ctx, "device", limit)
			s.must(err)
			s.equal([]string{"ann", "bob", "carl"}[:min(limit, 3)], users)
		}
		none, err := s.SeenWith(s.ctx, "devic", 10)
		s.must(err)
		s.equal(0, len(none))
	}},
	{"links/of many the first are listed, by their bytes", func(s *suite) {
		at := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
		first := []string{"A", "B", "a", "é", "日", "🙂"}
		for _, limit := range []int{2, 4, 6, 7, 3} { // in this order, for a store may keep what it has read
			for i, device := range []string{"🙂", "a", "é", "B", "日", "A"} {
				s.must(s.PutLinks(s.ctx, []event.Link{{AnonymousID: device, UserID: "ann", OccurredAt: at, EventID: number(i)}}))
			}
			ids, err := s.LinkedTo(s.ctx, "ann", limit)
			s.must(err)
			s.equal(first[:min(limit, len(first))], ids)
		}
		s.must(s.PutLinks(s.ctx, []event.Link{{AnonymousID: "0", UserID: "ann", OccurredAt: at, EventID: "x"}}))
		ids, err := s.LinkedTo(s.ctx, "ann", 3)
		s.must(err)
		s.equal([]string{"0", "A", "B"}, ids)
		// An id that others have, too, is still each one's.
		s.must(s.PutLinks(s.ctx, []event.Link{{AnonymousID: "0", UserID: "bob", OccurredAt: at.Add(time.Hour), EventID: "y"}}))
		ids, err = s.LinkedTo(s.ctx, "bob", 3)
		s.must(err)
		s.equal([]string{"0"}, ids)
	}},
	{"links/thousands of one user's", func(s *suite) {
		links := make([]event.Link, 1_500)
		for i := range links {
			links[i] = event.Link{AnonymousID: fmt.Sprintf("device-%04d", len(links)-1-i), UserID: "ann", EventID: number(i)}
		}
		s.must(s.PutLinks(s.ctx, links))
		ids, err := s.LinkedTo(s.ctx, "ann", 1_200)
		s.must(err)
		s.equal(1_200, len(ids))
		for i, id := range ids {
			if id != fmt.Sprintf("device-%04d", i) {
				s.Fatalf("%s is in place %d", id, i)
			}
		}
	}},
}
