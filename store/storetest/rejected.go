package storetest

import (
	"bytes"
	"strings"
	"time"

	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/store"
)

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
	{"rejected/a deletion ignores ids that are not there", func(s *suite) {
		s.must(s.PutRejected(s.ctx, []store.DeadLetter{{Data: []byte("a")}, {Data: []byte("b")}}))
		letters, err := s.RejectedLetters(s.ctx, "", 10)
		s.must(err)
		s.equal(2, len(letters))
		ids := []string{"", "no such letter", "日本", letters[1].ID + "0", strings.Repeat("0", len(letters[0].ID)), letters[0].ID}
		for range 2 {
			s.must(s.DeleteRejected(s.ctx, ids))
			left, err := s.RejectedLetters(s.ctx, "", 10)
			s.must(err)
			s.equal(letters[1:], left)
		}
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
	{"rejected/a page goes on after any string", func(s *suite) {
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
