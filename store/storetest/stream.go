package storetest

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/attune-shop/attune/store"
)

// stream is what the log and the transitions have in common.
type stream interface {
	Head(ctx context.Context, shard int) (store.Seq, error)
	Append(ctx context.Context, shard int, seq store.Seq, row []byte) error
	Read(ctx context.Context, shard int, from store.Seq, fn func(seq store.Seq, row []byte) error) error
	Mark(ctx context.Context, shard int) (store.Seq, error)
	SetMark(ctx context.Context, shard int, mark store.Seq) error
	Trim(ctx context.Context, shard int, before store.Seq) error
}

// logStream is the log of the store that a case has at the moment.
type logStream struct{ *suite }

func (l logStream) Read(ctx context.Context, shard int, from store.Seq, fn func(store.Seq, []byte) error) error {
	return l.ReadLog(ctx, shard, from, fn)
}

func (l logStream) Trim(ctx context.Context, shard int, before store.Seq) error {
	return l.TrimLog(ctx, shard, before)
}

// transitionStream is that of its transitions.
type transitionStream struct{ s *suite }

func (t transitionStream) Head(ctx context.Context, shard int) (store.Seq, error) {
	return t.s.Transitions().Head(ctx, shard)
}

func (t transitionStream) Append(ctx context.Context, shard int, seq store.Seq, row []byte) error {
	return t.s.Transitions().Append(ctx, shard, seq, row)
}

func (t transitionStream) Read(ctx context.Context, shard int, from store.Seq, fn func(store.Seq, []byte) error) error {
	return t.s.Transitions().Read(ctx, shard, from, fn)
}

func (t transitionStream) Mark(ctx context.Context, shard int) (store.Seq, error) {
	return t.s.Transitions().Mark(ctx, shard)
}

func (t transitionStream) SetMark(ctx context.Context, shard int, mark store.Seq) error {
	return t.s.Transitions().SetMark(ctx, shard, mark)
}

func (t transitionStream) Trim(ctx context.Context, shard int, before store.Seq) error {
	return t.s.Transitions().Trim(ctx, shard, before)
}

// rowsOf returns the rows of a stream's shard from a number on.
func (s *suite) rowsOf(l stream, shard int, from store.Seq) map[store.Seq]string {
	s.Helper()
	rows := map[store.Seq]string{}
	last := from - 1
	s.must(l.Read(s.ctx, shard, from, func(seq store.Seq, row []byte) error {
		if seq != last+1 {
			s.Errorf("row %d came after row %d", seq, last)
		}
		last = seq
		rows[seq] = string(row)
		return nil
	}))
	return rows
}

// streamCases hold for the log and for the transitions.
func streamCases(name string, of func(*suite) stream) []testCase {
	return []testCase{
		{name + "/an empty shard has head and mark 0", func(s *suite) {
			l := of(s)
			head, err := l.Head(s.ctx, 0)
			s.must(err)
			mark, err := l.Mark(s.ctx, 0)
			s.must(err)
			s.equal([]store.Seq{0, 0}, []store.Seq{head, mark})
			s.equal(map[store.Seq]string{}, s.rowsOf(l, 0, 1))
		}},
		{name + "/numbers are dense, a shard each", func(s *suite) {
			l := of(s)
			s.must(l.Append(s.ctx, 0, 1, []byte("a")))
			s.must(l.Append(s.ctx, 0, 2, []byte("b")))
			s.must(l.Append(s.ctx, 1, 1, []byte("c")))
			s.wants(l.Append(s.ctx, 0, 2, []byte("x")), store.ErrTaken)
			s.wants(l.Append(s.ctx, 0, 4, []byte("x")), store.ErrTaken)
			s.equal(map[store.Seq]string{1: "a", 2: "b"}, s.rowsOf(l, 0, 1))
			s.equal(map[store.Seq]string{2: "b"}, s.rowsOf(l, 0, 2))
			s.equal(map[store.Seq]string{1: "c"}, s.rowsOf(l, 1, 1))
		}},
		{name + "/of writers racing for a number one wins", func(s *suite) {
			l := of(s)
			const writers, each = 6, 20
			var mu sync.Mutex
			won := map[store.Seq]string{}
			var running sync.WaitGroup
			for w := range writers {
				running.Go(func() {
					for n := 0; n < each; {
						head, err := l.Head(s.ctx, 0)
						if err != nil {
							s.Error(err)
							return
						}
						row := fmt.Sprint(w, "-", n)
						switch err := l.Append(s.ctx, 0, head+1, []byte(row)); {
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
			s.equal(won, s.rowsOf(l, 0, 1))
		}},
		{name + "/an append survives a crash", func(s *suite) {
			l := of(s)
			for i := range 20 {
				s.must(l.Append(s.ctx, i%2, store.Seq(i/2+1), []byte(number(i))))
			}
			s.crash()
			s.equal(10, len(s.rowsOf(l, 0, 1)))
			s.equal(10, len(s.rowsOf(l, 1, 1)))
			s.must(l.Append(s.ctx, 0, 11, []byte("next")))
		}},
		{name + "/a mark never goes back", func(s *suite) {
			l := of(s)
			s.must(l.SetMark(s.ctx, 0, 5))
			s.must(l.SetMark(s.ctx, 0, 3))
			s.reopen()
			mark, err := l.Mark(s.ctx, 0)
			s.must(err)
			s.equal(store.Seq(5), mark)
		}},
		{name + "/trimming keeps the newest row", func(s *suite) {
			l := of(s)
			for seq := store.Seq(1); seq <= 5; seq++ {
				s.must(l.Append(s.ctx, 0, seq, []byte{byte(seq)}))
			}
			s.must(l.Trim(s.ctx, 0, 3))
			s.equal(3, len(s.rowsOf(l, 0, 3)))
			s.equal(0, len(s.rowsOf(l, 0, 2)))
			s.must(l.Trim(s.ctx, 0, 100))
			s.reopen()
			s.equal(1, len(s.rowsOf(l, 0, 5)))
			s.must(l.Append(s.ctx, 0, 6, []byte("next")))
		}},
		{name + "/many rows are read from anywhere and trimmed up to anywhere", func(s *suite) {
			l := of(s)
			head := store.Seq(0)
			grow := func(to store.Seq) {
				for ; head < to; head++ {
					s.must(l.Append(s.ctx, 0, head+1, []byte(number(int(head+1)))))
				}
			}
			whole := func(from store.Seq) {
				s.Helper()
				got, err := l.Head(s.ctx, 0)
				s.must(err)
				s.equal(head, got)
				want := map[store.Seq]string{}
				for seq := from; seq <= head; seq++ {
					want[seq] = number(int(seq))
				}
				s.equal(want, s.rowsOf(l, 0, from))
			}
			// Stores may part a shard's rows by their numbers.
			grow(300)
			for _, from := range []store.Seq{1, 2, 100, 127, 128, 129, 255, 256, 300, 301} {
				whole(from)
			}
			for _, before := range []store.Seq{2, 100, 128, 129, 257} {
				s.must(l.Trim(s.ctx, 0, before))
				s.equal(0, len(s.rowsOf(l, 0, before-1)))
				whole(before)
			}
			s.must(l.Trim(s.ctx, 0, 129)) // trimmed already
			s.reopen()
			whole(257)
			s.equal(0, len(s.rowsOf(l, 0, 1)))
			s.wants(l.Append(s.ctx, 0, 10, []byte("x")), store.ErrTaken)
			s.wants(l.Append(s.ctx, 0, 300, []byte("x")), store.ErrTaken)
			grow(310)
			whole(257)
			s.must(l.Trim(s.ctx, 0, 1000))
			s.reopen()
			whole(310)
			s.equal(0, len(s.rowsOf(l, 0, 309)))
			grow(312)
			whole(310)
		}},
		{name + "/shards do not wait for each other's numbers", func(s *suite) {
			l := of(s)
			const each = 20
			var running sync.WaitGroup
			for shard := range 4 {
				running.Go(func() {
					for seq := store.Seq(1); seq <= each; seq++ {
						if err := l.Append(s.ctx, shard, seq, []byte{byte(shard)}); err != nil {
							s.Error(err)
							return
						}
					}
				})
			}
			running.Wait()
			for shard := range 4 {
				s.equal(each, len(s.rowsOf(l, shard, 1)))
			}
		}},
		{name + "/a reader beside a writer sees no hole", func(s *suite) {
			l := of(s)
			const last = 50
			var running sync.WaitGroup
			running.Go(func() {
				for seq := store.Seq(1); seq <= last; seq++ {
					if err := l.Append(s.ctx, 0, seq, []byte(number(int(seq)))); err != nil {
						s.Error(err)
						return
					}
				}
			})
			for seen := 0; seen < last && !s.Failed(); {
				head, err := l.Head(s.ctx, 0)
				s.must(err)
				rows := s.rowsOf(l, 0, 1)
				if len(rows) < int(head) || len(rows) < seen {
					s.Errorf("%d rows at head %d, after %d were seen", len(rows), head, seen)
				}
				seen = len(rows)
			}
			running.Wait()
		}},
		{name + "/head and mark survive a clean end", func(s *suite) {
			l := of(s)
			for seq := store.Seq(1); seq <= 3; seq++ {
				s.must(l.Append(s.ctx, 3, seq, nil))
			}
			s.must(l.SetMark(s.ctx, 3, 2))
			s.reopen()
			head, err := l.Head(s.ctx, 3)
			s.must(err)
			mark, err := l.Mark(s.ctx, 3)
			s.must(err)
			s.equal([]store.Seq{3, 2}, []store.Seq{head, mark})
			s.equal(map[store.Seq]string{2: "", 3: ""}, s.rowsOf(l, 3, 2))
			s.equal(map[store.Seq]string{}, s.rowsOf(l, 3, 4))
		}},
		{name + "/marks that race end at the greatest", func(s *suite) {
			l := of(s)
			var running sync.WaitGroup
			for w := range 4 {
				running.Go(func() {
					for n := range 25 {
						if err := l.SetMark(s.ctx, 0, store.Seq(n*4+w+1)); err != nil {
							s.Error(err)
						}
					}
				})
			}
			running.Wait()
			mark, err := l.Mark(s.ctx, 0)
			s.must(err)
			s.equal(store.Seq(100), mark)
		}},
	}
}
