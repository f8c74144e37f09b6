package storetest

import (
	"strconv"

	"github.com/google/go-cmp/cmp"

	"github.com/attune-shop/attune/store"
)

func number(i int) string { return strconv.Itoa(i) }

// rows returns the rows of a shard of the log from a number on.
func (s *suite) rows(shard int, from store.Seq) map[store.Seq]string {
	s.Helper()
	return s.rowsOf(logStream{s}, shard, from)
}

func (s *suite) equal(want, got any) {
	s.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		s.Errorf("(-want +got):\n%s", diff)
	}
}

var logCases = append(streamCases("log", func(s *suite) stream { return logStream{s} }), []testCase{
	{"log/a fence never goes back, and is seen with a mark", func(s *suite) {
		fence := func() store.Seq {
			fence, err := s.Fence(s.ctx, 0)
			s.must(err)
			return fence
		}
		s.equal(store.Seq(0), fence())
		s.must(s.SetFence(s.ctx, 0, 5))
		s.must(s.SetFence(s.ctx, 0, 3))
		s.equal(store.Seq(5), fence())
		other, err := s.Fence(s.ctx, 1)
		s.must(err)
		s.equal(store.Seq(0), other)
		s.reopen()
		s.equal(store.Seq(5), fence())
		s.must(s.SetFence(s.ctx, 0, 7))
		s.must(s.SetMark(s.ctx, 0, 8))
		s.must(s.Append(s.ctx, 0, 1, []byte("row")))
		s.crash()
		mark, err := s.Mark(s.ctx, 0)
		s.must(err)
		if mark == 8 {
			s.equal(store.Seq(7), fence())
		}
	}},
}...)
