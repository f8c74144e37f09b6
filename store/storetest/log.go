package storetest

import (
	"errors"
	"fmt"
	"strconv"
	"sync"

	"github.com/google/go-cmp/cmp"

	"github.com/attune-shop/attune/store"
)

func number(i int) string { return strconv.Itoa(i) }

// rows returns the rows of a shard from a number on.
func (s *suite) rows(shard int, from store.Seq) map[store.Seq]string {
	s.Helper()
	rows := map[store.Seq]string{}
	last := from - 1
	s.must(s.ReadLog(s.ctx, shard, from, func(seq store.Seq, row []byte) error {
		if seq != last+1 {
			s.Errorf("row %d came after row %d", seq, last)
		}
		last = seq
		rows[seq] = string(row)
		return nil
	}))
	return rows
}

func (s *suite) equal(want, got any) {
	s.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		s.Errorf("(-want +got):\n%s", diff)
	}
}

var logCases = []testCase{
	{"log/an empty shard has head and mark 0", func(s *suite) {
		head, err := s.Head(s.ctx, 0)
		s.must(err)
		mark, err := s.Mark(s.ctx, 0)
		s.must(err)
		s.equal([]store.Seq{0, 0}, []store.Seq{head, mark})
		s.equal(map[store.Seq]string{}, s.rows(0, 1))
	}},
	{"log/numbers are dense, a shard each", func(s *suite) {
		s.must(s.Append(s.ctx, 0, 1, []byte("a")))
		s.must(s.Append(s.ctx, 0, 2, []byte("b")))
		s.must(s.Append(s.ctx, 1, 1, []byte("c")))
		s.wants(s.Append(s.ctx, 0, 2, []byte("x")), store.ErrTaken)
		s.wants(s.Append(s.ctx, 0, 4, []byte("x")), store.ErrTaken)
		s.equal(map[store.Seq]string{1: "a", 2: "b"}, s.rows(0, 1))
		s.equal(map[store.Seq]string{2: "b"}, s.rows(0, 2))
		s.equal(map[store.Seq]string{1: "c"}, s.rows(1, 1))
	}},
	{"log/of writers racing for a number one wins", func(s *suite) {
		const writers, each = 6, 20
		var mu sync.Mutex
		won := map[store.Seq]string{}
		var running sync.WaitGroup
		for w := range writers {
			running.Go(func() {
				for n := 0; n < each; {
					head, err := s.Head(s.ctx, 0)
					if err != nil {
						s.Error(err)
						return
					}
					row := fmt.Sprint(w, "-", n)
					switch err := s.Append(s.ctx, 0, head+1, []byte(row)); {
					case err == nil:
						mu.Lock()
						won[head+1] = row
						mu.Unlock()
						n++
					case !errors.Is(err, store.ErrTaken):
						s.Error(err)
						return
					}
				}
			})
		}
		running.Wait()
		s.equal(writers*each, len(won))
		s.equal(won, s.rows(0, 1))
	}},
	{"log/an append survives a crash", func(s *suite) {
		for i := range 20 {
			s.must(s.Append(s.ctx, i%2, store.Seq(i/2+1), []byte(number(i))))
		}
		s.crash()
		s.equal(10, len(s.rows(0, 1)))
		s.equal(10, len(s.rows(1, 1)))
		s.must(s.Append(s.ctx, 0, 11, []byte("next")))
	}},
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
	{"log/a mark never goes back", func(s *suite) {
		s.must(s.SetMark(s.ctx, 0, 5))
		s.must(s.SetMark(s.ctx, 0, 3))
		s.reopen()
		mark, err := s.Mark(s.ctx, 0)
		s.must(err)
		s.equal(store.Seq(5), mark)
	}},
	{"log/trimming keeps the newest row", func(s *suite) {
		for seq := store.Seq(1); seq <= 5; seq++ {
			s.must(s.Append(s.ctx, 0, seq, []byte{byte(seq)}))
		}
		s.must(s.TrimLog(s.ctx, 0, 3))
		s.equal(3, len(s.rows(0, 3)))
		s.equal(0, len(s.rows(0, 2)))
		s.must(s.TrimLog(s.ctx, 0, 100))
		s.reopen()
		s.equal(1, len(s.rows(0, 5)))
		s.must(s.Append(s.ctx, 0, 6, []byte("next")))
	}},
	{"log/many rows are read from anywhere and trimmed up to anywhere", func(s *suite) {
		head := store.Seq(0)
		grow := func(to store.Seq) {
			for ; head < to; head++ {
				s.must(s.Append(s.ctx, 0, head+1, []byte(number(int(head+1)))))
			}
		}
		whole := func(from store.Seq) {
			s.Helper()
			got, err := s.Head(s.ctx, 0)
			s.must(err)
			s.equal(head, got)
			want := map[store.Seq]string{}
			for seq := from; seq <= head; seq++ {
				want[seq] = number(int(seq))
			}
			s.equal(want, s.rows(0, from))
		}
		// Stores may part a shard's rows by their numbers.
		grow(300)
		for _, from := range []store.Seq{1, 2, 100, 127, 128, 129, 255, 256, 300, 301} {
			whole(from)
		}
		for _, before := range []store.Seq{2, 100, 128, 129, 257} {
			s.must(s.TrimLog(s.ctx, 0, before))
			s.equal(0, len(s.rows(0, before-1)))
			whole(before)
		}
		s.must(s.TrimLog(s.ctx, 0, 129)) // trimmed already
		s.reopen()
		whole(257)
		s.equal(0, len(s.rows(0, 1)))
		s.wants(s.Append(s.ctx, 0, 10, []byte("x")), store.ErrTaken)
		s.wants(s.Append(s.ctx, 0, 300, []byte("x")), store.ErrTaken)
		grow(310)
		whole(257)
		s.must(s.TrimLog(s.ctx, 0, 1000))
		s.reopen()
		whole(310)
		s.equal(0, len(s.rows(0, 309)))
		grow(312)
		whole(310)
	}},
	{"log/shards do not wait for each other's numbers", func(s *suite) {
		const each = 20
		var running sync.WaitGroup
		for shard := range 4 {
			running.Go(func() {
				for seq := store.Seq(1); seq <= each; seq++ {
					if err := s.Append(s.ctx, shard, seq, []byte{byte(shard)}); err != nil {
						s.Error(err)
						return
					}
				}
			})
		}
		running.Wait()
		for shard := range 4 {
			s.equal(each, len(s.rows(shard, 1)))
		}
	}},
	{"log/a reader beside a writer sees no hole", func(s *suite) {
		const last = 50
		var running sync.WaitGroup
		running.Go(func() {
			for seq := store.Seq(1); seq <= last; seq++ {
				if err := s.Append(s.ctx, 0, seq, []byte(number(int(seq)))); err != nil {
					s.Error(err)
					return
				}
			}
		})
		for seen := 0; seen < last && !s.Failed(); {
			head, err := s.Head(s.ctx, 0)
			s.must(err)
			rows := s.rows(0, 1)
			if len(rows) < int(head) || len(rows) < seen {
				s.Errorf("%d rows at head %d, after %d were seen", len(rows), head, seen)
			}
			seen = len(rows)
		}
		running.Wait()
	}},
	{"log/head and mark survive a clean end", func(s *suite) {
		for seq := store.Seq(1); seq <= 3; seq++ {
			s.must(s.Append(s.ctx, 3, seq, nil))
		}
		s.must(s.SetMark(s.ctx, 3, 2))
		s.reopen()
		head, err := s.Head(s.ctx, 3)
		s.must(err)
		mark, err := s.Mark(s.ctx, 3)
		s.must(err)
		s.equal([]store.Seq{3, 2}, []store.Seq{head, mark})
		s.equal(map[store.Seq]string{2: "", 3: ""}, s.rows(3, 2))
		s.equal(map[store.Seq]string{}, s.rows(3, 4))
	}},
	{"log/marks that race end at the greatest", func(s *suite) {
		var running sync.WaitGroup
		for w := range 4 {
			running.Go(func() {
				for n := range 25 {
					if err := s.SetMark(s.ctx, 0, store.Seq(n*4+w+1)); err != nil {
						s.Error(err)
					}
				}
			})
		}
		running.Wait()
		mark, err := s.Mark(s.ctx, 0)
		s.must(err)
		s.equal(store.Seq(100), mark)
	}},
}
