package storetest

import (
	"strconv"
	"sync"

	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/store"
)

// swap swaps in shard 0 as one who found from there when it was last read.
func (s *suite) swap(v event.Visitor, from, to []byte) bool {
	s.Helper()
	s.stored(0, v)
	old, found := s.found[foundKey{v, string(from), from == nil}]
	if !found {
		old = store.Stored{Value: from}
	}
	done, err := s.SwapFeatures(s.ctx, 0, []store.Change{{Visitor: v, Old: old, New: to}})
	s.must(err)
	return done[0]
}

// foundKey is what was found of a visitor.
type foundKey struct {
	visitor event.Visitor
	value   string
	none    bool
}

func (s *suite) stored(shard int, v event.Visitor) store.Stored {
	s.Helper()
	values, err := s.GetFeatures(s.ctx, shard, []event.Visitor{v})
	s.must(err)
	s.found[foundKey{v, string(values[0].Value), values[0].Value == nil}] = values[0]
	return values[0]
}

func (s *suite) feature(shard int, v event.Visitor) string {
	s.Helper()
	if value := s.stored(shard, v).Value; value != nil {
		return string(value)
	}
	return "(none)"
}

// kept returns what a crash left of features that were want: these or, where the store may
// lose them, none.
func (s *suite) kept(shard int, v event.Visitor, want string) string {
	s.Helper()
	found := s.feature(shard, v)
	if found != want && (found != "(none)" || !s.LosesFeatures()) {
		s.Errorf("a crash left %q of %q", found, want)
	}
	return found
}

// install swaps in shard 0 as one who found old.
func (s *suite) install(v event.Visitor, old store.Stored, value string) bool {
	s.Helper()
	done, err := s.SwapFeatures(s.ctx, 0, []store.Change{{Visitor: v, Old: old, New: []byte(value)}})
	s.must(err)
	return done[0]
}

var featureCases = []testCase{
	{"features/a swap needs the stored value", func(s *suite) {
		v := s.inShard(0, 1)[0]
		s.equal("(none)", s.feature(0, v))
		s.equal(false, s.swap(v, []byte("x"), []byte("a")))
		s.equal(true, s.swap(v, nil, []byte("a")))
		s.equal(false, s.swap(v, nil, []byte("b")))
		s.equal(false, s.swap(v, []byte("x"), []byte("b")))
		s.equal("a", s.feature(0, v))
		s.must(s.FlushFeatures(s.ctx, 0))
		s.equal(true, s.swap(v, []byte("a"), []byte("b")))
		s.equal("b", s.feature(0, v))
		s.equal(true, s.swap(v, []byte("b"), nil))
		s.equal("(none)", s.feature(0, v))
		s.must(s.FlushFeatures(s.ctx, 0))
		s.equal("(none)", s.feature(0, v))
	}},
	{"features/what was lost is installed once, by who read after it was lost", func(s *suite) {
		if !s.LosesFeatures() {
			s.Skip("nothing is ever lost")
		}
		v := s.inShard(0, 2)
		before := s.stored(0, v[0])
		s.equal(false, s.install(v[0], store.Stored{}, "of one who did not ask"))
		s.equal(false, s.install(v[1], before, "of another"))
		s.equal(true, s.install(v[0], s.stored(0, v[0]), "a"))
		s.equal(true, s.install(v[0], s.stored(0, v[0]), ""))
		s.equal(true, s.swap(v[0], []byte{}, nil)) // lost
		s.equal(false, s.install(v[0], before, "made from what is old by now"))
		s.equal(true, s.install(v[0], s.stored(0, v[0]), "b"))
		s.equal("b", s.feature(0, v[0]))
	}},
	{"features/what a crash lost is gone for good", func(s *suite) {
		if !s.LosesFeatures() {
			s.Skip("nothing is ever lost")
		}
		v := s.inShard(0, 2)
		s.swap(v[0], nil, []byte("old"))
		old := s.stored(0, v[0])
		s.swap(v[0], []byte("old"), []byte("new"))
		absent := s.stored(0, v[1])
		s.crash()
		found := s.kept(0, v[0], "new")
		s.equal(false, s.install(v[0], old, "made from what is old by now"))
		if found == "(none)" {
			s.equal(false, s.install(v[1], absent, "made from what was read before the loss"))
		}
		for _, v := range v {
			s.equal(true, s.install(v, s.stored(0, v), "again"))
			s.equal("again", s.feature(0, v))
		}
	}},
	{"features/an epoch that begins loses what was stored in the one before", func(s *suite) {
		v := s.inShard(0, 2)
		s.swap(v[0], nil, []byte("a"))
		first := s.stored(0, v[0])
		again := s.stored(0, v[1])
		s.equal(first.Epoch.ID, again.Epoch.ID)
		s.equal(false, again.Epoch.New)
		second, err := s.BeginEpoch(s.ctx, 0, first.Epoch.ID)
		s.must(err)
		if !s.LosesFeatures() {
			s.equal(store.Epoch{}, first.Epoch)
			s.equal(store.Epoch{}, second)
			s.equal("a", s.feature(0, v[0]))
			return
		}
		s.equal(true, second.New)
		s.equal(true, second.ID != first.Epoch.ID)
		s.equal(false, s.install(v[0], first, "by a token of the epoch before"))
		s.equal(false, s.install(v[1], again, "by a ticket of the epoch before"))
		for _, v := range v {
			found := s.stored(0, v)
			s.equal(store.Epoch{ID: second.ID}, found.Epoch)
			s.equal("(none)", s.feature(0, v))
			s.equal(true, s.install(v, found, "b"))
		}
		third, err := s.BeginEpoch(s.ctx, 0, first.Epoch.ID) // it is another by now
		s.must(err)
		s.equal(store.Epoch{ID: second.ID}, third)
		s.equal("b", s.feature(0, v[0]))
		s.equal(true, s.stored(1, s.inShard(1, 1)[0]).Epoch.ID != second.ID)
	}},
	{"features/a crash begins an epoch, or loses nothing", func(s *suite) {
		if !s.LosesFeatures() {
			s.Skip("nothing is ever lost but before a mark")
		}
		v := s.inShard(0, 1)[0]
		s.swap(v, nil, []byte("a"))
		before := s.stored(0, v)
		s.crash()
		after := s.stored(0, v)
		if after.Epoch.ID == before.Epoch.ID {
			s.kept(0, v, "a")
		} else {
			s.equal(true, after.Epoch.New)
			s.equal(false, s.stored(0, v).Epoch.New)
		}
	}},
	{"features/each change stands on its own", func(s *suite) {
		v := s.inShard(0, 3)
		s.swap(v[1], nil, []byte("old"))
		var changes []store.Change
		for i := range v {
			old := s.stored(0, v[i])
			if i == 1 {
				s.swap(v[1], []byte("old"), []byte("newer"))
			}
			changes = append(changes, store.Change{Visitor: v[i], Old: old, New: []byte("new")})
		}
		done, err := s.SwapFeatures(s.ctx, 0, changes)
		s.must(err)
		s.equal([]bool{true, false, true}, done)
	}},
	{"features/no update is lost among racing writers", func(s *suite) {
		v := s.inShard(2, 1)[0]
		const writers, each = 6, 50
		var running sync.WaitGroup
		for range writers {
			running.Go(func() {
				for n := 0; n < each; {
					values, err := s.GetFeatures(s.ctx, 2, []event.Visitor{v})
					if err != nil {
						s.Error(err)
						return
					}
					count, _ := strconv.Atoi(string(values[0].Value))
					done, err := s.SwapFeatures(s.ctx, 2, []store.Change{{Visitor: v, Old: values[0], New: []byte(strconv.Itoa(count + 1))}})
					if err != nil {
						s.Error(err)
						return
					}
					if done[0] {
						n++
					}
				}
			})
		}
		running.Wait()
		s.equal(strconv.Itoa(writers*each), s.feature(2, v))
	}},
	{"features/a mark that survives a crash proves what came before it", func(s *suite) {
		v := s.inShard(0, 1)[0]
		s.must(s.PutEvents(s.ctx, 0, []store.Record{record(v, "a", 1, "x")}))
		s.swap(v, nil, []byte("folded"))
		s.must(s.FlushFeatures(s.ctx, 0))
		s.must(s.SetMark(s.ctx, 0, 1))
		s.must(s.Append(s.ctx, 0, 1, []byte("row")))
		s.crash()
		mark, err := s.Mark(s.ctx, 0)
		s.must(err)
		if mark == 1 {
			s.kept(0, v, "folded")
			s.equal(1, len(s.events(v)))
		}
	}},
	{"features/a scan sees every visitor", func(s *suite) {
		visitors := s.inShard(0, 50)
		for i, v := range visitors {
			s.swap(v, nil, []byte(v))
			if i == 25 {
				s.must(s.FlushFeatures(s.ctx, 0))
			}
		}
		seen := map[event.Visitor]bool{}
		s.must(s.ScanFeatures(s.ctx, func(v event.Visitor, value []byte) error {
			if string(v) != string(value) {
				s.Errorf("%q with value %q", v, value)
			}
			seen[v] = true
			return nil
		}))
		s.equal(len(visitors), len(seen))
	}},
	{"features/values survive a clean end", func(s *suite) {
		v := s.inShard(0, 1)[0]
		s.swap(v, nil, []byte("a"))
		s.reopen()
		s.equal("a", s.feature(0, v))
	}},
	{"features/a value without bytes is a value", func(s *suite) {
		v := s.inShard(0, 1)[0]
		s.equal(true, s.swap(v, nil, []byte{}))
		s.equal("", s.feature(0, v))
		s.equal(false, s.swap(v, nil, []byte("a")))
		s.must(s.FlushFeatures(s.ctx, 0))
		s.equal("", s.feature(0, v))
		s.equal(true, s.swap(v, []byte{}, nil))
		s.equal("(none)", s.feature(0, v))
	}},
	{"features/the latest is read, however many flushes lie behind it", func(s *suite) {
		v := s.inShard(0, 2)
		for n := range 5 {
			old := []byte(number(n - 1))
			if n == 0 {
				old = nil
			}
			s.equal(true, s.swap(v[0], old, []byte(number(n))))
			if n > 0 {
				s.must(s.FlushFeatures(s.ctx, 0))
			}
			s.swap(v[1], nil, []byte("once"))
			s.equal(number(n), s.feature(0, v[0]))
			s.equal("once", s.feature(0, v[1]))
		}
		s.must(s.FlushFeatures(s.ctx, 0))
		s.must(s.FlushFeatures(s.ctx, 0))
		s.equal("4", s.feature(0, v[0]))
		s.equal("once", s.feature(0, v[1]))
	}},
	{"features/no update is lost between flushes, scans and a crash", func(s *suite) {
		visitors := s.inShard(1, 20)
		done := make(chan struct{})
		var flushing, running sync.WaitGroup
		flushing.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				err := s.FlushFeatures(s.ctx, 1)
				if err == nil {
					err = s.ScanFeatures(s.ctx, func(event.Visitor, []byte) error { return nil })
				}
				if err != nil {
					s.Error(err)
					return
				}
			}
		})
		const each = 40
		for range 2 {
			running.Go(func() {
				for n := 0; n < each*len(visitors); {
					v := visitors[n%len(visitors)]
					values, err := s.GetFeatures(s.ctx, 1, []event.Visitor{v})
					if err != nil {
						s.Error(err)
						return
					}
					count, _ := strconv.Atoi(string(values[0].Value))
					swapped, err := s.SwapFeatures(s.ctx, 1, []store.Change{{Visitor: v, Old: values[0], New: []byte(strconv.Itoa(count + 1))}})
					if err != nil {
						s.Error(err)
						return
					}
					if swapped[0] {
						n++
					}
				}
			})
		}
		running.Wait()
		close(done)
		flushing.Wait()
		s.must(s.FlushFeatures(s.ctx, 1))
		s.must(s.SetMark(s.ctx, 1, 1))
		s.must(s.Append(s.ctx, 1, 1, nil))
		s.crash()
		for _, v := range visitors {
			s.kept(1, v, strconv.Itoa(2*each))
		}
	}},
	{"features/what a swap removed stays away", func(s *suite) {
		v := s.inShard(0, 2)
		s.swap(v[0], nil, []byte("a"))
		s.swap(v[1], nil, []byte("b"))
		s.reopen()
		s.equal(true, s.swap(v[0], []byte("a"), nil))
		s.must(s.ScanFeatures(s.ctx, func(seen event.Visitor, _ []byte) error {
			s.equal(v[1], seen)
			return nil
		}))
		s.reopen()
		s.equal("(none)", s.feature(0, v[0]))
		s.equal("b", s.feature(0, v[1]))
	}},
}
