package storetest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/attune-shop/attune/store"
)

var transitionCases = append(streamCases("transitions", func(s *suite) stream { return transitionStream{s} }), []testCase{
	{"transitions/they are not the log", func(s *suite) {
		t := transitionStream{s}
		s.must(s.Append(s.ctx, 0, 1, []byte("log 1")))
		s.must(s.Append(s.ctx, 0, 2, []byte("log 2")))
		s.must(t.Append(s.ctx, 0, 1, []byte("transitions 1")))
		s.must(s.SetMark(s.ctx, 0, 2))
		s.must(t.SetMark(s.ctx, 0, 1))
		s.must(s.TrimLog(s.ctx, 0, 2))
		s.equal(map[store.Seq]string{2: "log 2"}, s.rows(0, 2))
		s.equal(map[store.Seq]string{1: "transitions 1"}, s.rowsOf(t, 0, 1))
		mark, err := t.Mark(s.ctx, 0)
		s.must(err)
		s.equal(store.Seq(1), mark)
		head, err := t.Head(s.ctx, s.Shards()-1)
		s.must(err)
		s.equal(store.Seq(0), head)
	}},
	{"transitions/the first row is the oldest that is kept", func(s *suite) {
		first := func(want store.Seq) {
			s.Helper()
			got, err := s.Transitions().First(s.ctx, 0)
			s.must(err)
			s.equal(want, got)
			if rows := s.rowsOf(transitionStream{s}, 0, want); want > 1 && rows[want] != number(int(want)) {
				s.Errorf("row %d is %q", want, rows[want])
			}
		}
		first(1)
		for seq := store.Seq(1); seq <= 150; seq++ {
			s.must(s.Transitions().Append(s.ctx, 0, seq, []byte(number(int(seq)))))
		}
		first(1)
		s.must(s.Transitions().Trim(s.ctx, 0, 5))
		first(5)
		s.must(s.Transitions().Trim(s.ctx, 0, 3))
		first(5)
		s.must(s.Transitions().Trim(s.ctx, 0, 130))
		s.reopen()
		first(130)
		s.must(s.Transitions().Trim(s.ctx, 0, 1000))
		first(150)
	}},
}...)

// put puts what users are in now that were in nothing before.
func (s *suite) put(shard int, stamp uint64, now ...store.Member) {
	s.Helper()
	changes := make([]store.MemberChange, len(now))
	for i := range now {
		changes[i].Now = now[i]
	}
	s.must(s.PutMembers(s.ctx, shard, stamp, changes, nil))
}

func in(userID string, segments ...uint32) store.Member {
	return store.Member{UserID: userID, Segments: segments}
}

// members says what is published of users of shard 0.
func (s *suite) members(userIDs ...string) string {
	s.Helper()
	members, err := s.Members(s.ctx, 0, userIDs)
	s.must(err)
	said := make([]string, len(members))
	for i, m := range members {
		said[i] = m.UserID + fmt.Sprint(m.Segments)
		if !m.Due.IsZero() {
			said[i] += fmt.Sprint("@", m.Due.UnixMilli())
		}
	}
	return strings.Join(said, " ")
}

// segment lists the members of a segment after a place, as SHARD/USER.
func (s *suite) segment(segment uint32, after store.Place) string {
	s.Helper()
	var found []string
	s.must(s.ReadSegment(s.ctx, segment, after, func(p store.Place) error {
		found = append(found, fmt.Sprintf("%d/%s", p.Shard, p.UserID))
		return nil
	}))
	return strings.Join(found, " ")
}

func (s *suite) sizes(segment uint32) map[int]int64 {
	s.Helper()
	sizes, err := s.SegmentSizes(s.ctx, segment)
	s.must(err)
	return sizes
}

// start is the place before the first member.
var start store.Place

var memberCases = []testCase{
	{"members/what is put is found by user, by segment and as a size", func(s *suite) {
		due := time.UnixMilli(1_700_000_000_123)
		s.must(s.PutMembers(s.ctx, 0, 1, []store.MemberChange{
			{Now: in("ann", 1, 2, 1<<32-1)},
			{Now: store.Member{UserID: "bob", Segments: []uint32{2}, Due: due}},
			{Now: store.Member{UserID: "cat", Due: due}},
		}, map[uint32]int64{1: 1, 2: 2, 1<<32 - 1: 1}))
		s.put(1, 1, in("dan", 2))
		for range 2 {
			s.equal("bob[2]@1700000000123 nobody[] ann[1 2 4294967295] cat[]@1700000000123 ann[1 2 4294967295]", s.members("bob", "nobody", "ann", "cat", "ann"))
			s.equal([]string{"0/ann", "0/ann 0/bob 1/dan", "0/ann", ""}, []string{s.segment(1, start), s.segment(2, start), s.segment(1<<32-1, start), s.segment(3, start)})
			s.equal([]map[int]int64{{0: 1}, {0: 2}, {0: 1}, {}}, []map[int]int64{s.sizes(1), s.sizes(2), s.sizes(1<<32 - 1), s.sizes(3)})
			s.reopen()
		}
		// Users are those of a shard.
		others, err := s.Members(s.ctx, 1, []string{"ann", "dan"})
		s.must(err)
		s.equal([]store.Member{{UserID: "ann"}, in("dan", 2)}, others)
		none, err := s.Members(s.ctx, 0, nil)
		s.must(err)
		s.equal(0, len(none))
	}},
	{"members/many are found in whatever order they are asked for", func(s *suite) {
		var ids []string
		for n := range 300 {
			ids = append(ids, fmt.Sprintf("user-%03d", n))
			if n%3 > 0 {
				s.put(0, uint64(n), in(ids[n], uint32(n)))
			}
		}
		shuffled := slices.Clone(ids)
		rand.New(rand.NewPCG(1, 2)).Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		for _, asked := range [][]string{ids, shuffled, append(slices.Clone(ids), ids[299])} {
			members, err := s.Members(s.ctx, 0, asked)
			s.must(err)
			for i, id := range asked {
				want := store.Member{UserID: id}
				if n := slices.Index(ids, id); n%3 > 0 {
					want = in(id, uint32(n))
				}
				s.equal(want, members[i])
			}
		}
	}},
	{"members/a change takes the place of what was", func(s *suite) {
		s.must(s.PutMembers(s.ctx, 0, 1, []store.MemberChange{{Now: in("ann", 1, 2, 3)}, {Now: in("bob", 1)}, {Now: in("cat", 1)}}, map[uint32]int64{1: 3, 2: 1}))
		changes := []store.MemberChange{
			{Was: []uint32{1, 2, 3}, Now: in("ann", 2, 4)},
			{Was: []uint32{1}, Now: in("bob")},
			{Was: []uint32{1}, Now: store.Member{UserID: "cat", Segments: []uint32{1}, Due: time.UnixMilli(5)}},
		}
		for range 2 { // the same once more changes nothing
			s.must(s.PutMembers(s.ctx, 0, 2, changes, map[uint32]int64{1: 1, 4: 1, 3: 0}))
			s.equal("ann[2 4] bob[] cat[1]@5", s.members("ann", "bob", "cat"))
			s.equal([]string{"0/cat", "0/ann", "", "0/ann"}, []string{s.segment(1, start), s.segment(2, start), s.segment(3, start), s.segment(4, start)})
			s.equal([]map[int]int64{{0: 1}, {0: 1}, {0: 0}, {0: 1}}, []map[int]int64{s.sizes(1), s.sizes(2), s.sizes(3), s.sizes(4)})
		}
		// Those who left come back.
		s.put(0, 3, in("bob", 1))
		s.must(s.PutMembers(s.ctx, 0, 4, []store.MemberChange{{Was: []uint32{2, 4}, Now: in("ann", 1)}}, nil))
		s.equal("ann[1] bob[1]", s.members("ann", "bob"))
		s.equal("0/ann 0/bob 0/cat", s.segment(1, start))
		// What is only in Now is put, whatever was.
		s.must(s.PutMembers(s.ctx, 0, 5, []store.MemberChange{{Was: []uint32{7}, Now: in("ann", 1, 8)}}, nil))
		s.equal([]string{"0/ann 0/bob 0/cat", "", "0/ann"}, []string{s.segment(1, start), s.segment(7, start), s.segment(8, start)})
	}},
	{"members/the greatest stamp stays in any order", func(s *suite) {
		if !s.Shared() {
			s.Skip("one process writes, so the last is the newest")
		}
		for i, order := range [][]int{{0, 1, 2}, {2, 1, 0}, {1, 2, 0, 1}, {2, 0, 1}, {0, 2, 1}, {1, 0, 2}} {
			// Each order has users and segments of its own.
			ann, bob, n := fmt.Sprint("ann", i), fmt.Sprint("bob", i), uint32(i)*10
			puts := []struct {
				stamp   uint64
				changes []store.MemberChange
				sizes   map[uint32]int64
			}{
				{10, []store.MemberChange{{Now: in(ann, n+1, n+2)}, {Now: in(bob, n+1)}}, map[uint32]int64{n + 1: 2}},
				{20, []store.MemberChange{{Was: []uint32{n + 1, n + 2}, Now: in(ann, n+2, n+3)}, {Was: []uint32{n + 1}, Now: in(bob)}}, map[uint32]int64{n + 1: 0, n + 3: 1}},
				{store.MaxStamp, []store.MemberChange{{Was: []uint32{n + 2, n + 3}, Now: in(ann, n+1, n+3)}}, map[uint32]int64{n + 1: 1}},
			}
			for _, at := range order {
				s.must(s.PutMembers(s.ctx, 0, puts[at].stamp, puts[at].changes, puts[at].sizes))
			}
			s.equal(fmt.Sprintf("%s[%d %d] %s[]", ann, n+1, n+3, bob), s.members(ann, bob))
			s.equal([]string{"0/" + ann, "", "0/" + ann}, []string{s.segment(n+1, start), s.segment(n+2, start), s.segment(n+3, start)})
			s.equal([]map[int]int64{{0: 1}, {0: 1}}, []map[int]int64{s.sizes(n + 1), s.sizes(n + 3)})
			if s.Failed() {
				s.Fatalf("in the order %v", order)
			}
		}
	}},
	{"members/they come in the order of shards and ids, after any place", func(s *suite) {
		const each = 1_300
		var want []string
		for shard := range s.Shards() {
			now := make([]store.Member, each)
			for i := range now {
				now[i] = in(fmt.Sprintf("user-%d", i), 5)
			}
			s.put(shard, 1, now...)
			ids := make([]string, each)
			for i := range now {
				ids[i] = fmt.Sprintf("%d/%s", shard, now[i].UserID)
			}
			slices.Sort(ids)
			want = append(want, ids...)
		}
		s.put(0, 2, in("user", 4, 6, 5+1<<8)) // in the segments beside
		s.equal(strings.Join(want, " "), s.segment(5, start))
		for _, from := range []int{0, 1, each - 2, each - 1, each, 2*each + 77, len(want) - 1} {
			shard, id := 0, ""
			_, err := fmt.Sscanf(want[from], "%d/%s", &shard, &id)
			s.must(err)
			s.equal(strings.Join(want[from+1:], " "), s.segment(5, store.Place{Shard: shard, UserID: id}))
		}
		// A place need not be a member's, and may be the beginning or the end of a shard.
		s.equal(strings.Join(want[each:], " "), s.segment(5, store.Place{Shard: 1}))
		s.equal(strings.Join(want[each:], " "), s.segment(5, store.Place{Shard: 0, UserID: "zoe"}))
		s.equal("", s.segment(5, store.Place{Shard: s.Shards() - 1, UserID: "zoe"}))
		s.equal("", s.segment(5, store.Place{Shard: s.Shards()}))
		// A callback may stop anywhere.
		enough, n := errors.New("enough"), 0
		err := s.ReadSegment(s.ctx, 5, start, func(store.Place) error {
			if n++; n == 1_200 {
				return enough
			}
			return nil
		})
		s.wants(err, enough)
		s.equal(1_200, n)
	}},
	{"members/of many users each is found", func(s *suite) {
		const users = 2_500
		now, ids := make([]store.Member, users), make([]string, users)
		for i := range now {
			ids[i] = fmt.Sprintf("user-%d", i)
			now[i] = in(ids[i])
			for n := range uint32(i % 60) {
				now[i].Segments = append(now[i].Segments, n*n*n+uint32(i%7))
			}
		}
		s.put(0, 1, now...)
		members, err := s.Members(s.ctx, 0, ids)
		s.must(err)
		for i := range now {
			if !slices.Equal(now[i].Segments, members[i].Segments) || members[i].UserID != ids[i] {
				s.Fatalf("%s is in %v, not in %v", ids[i], members[i], now[i].Segments)
			}
		}
	}},
	{"members/a dropped segment has none, and those beside it theirs", func(s *suite) {
		for shard := range s.Shards() {
			s.must(s.PutMembers(s.ctx, shard, 1, []store.MemberChange{{Now: in("ann", 254, 255, 256, 1<<32-1)}},
				map[uint32]int64{254: 1, 255: 1, 256: 1, 1<<32 - 1: 1}))
		}
		s.must(s.DropSegment(s.ctx, 255))
		s.must(s.DropSegment(s.ctx, 1<<32-1))
		s.must(s.DropSegment(s.ctx, 7))
		check := func() {
			s.Helper()
			for _, segment := range []uint32{255, 1<<32 - 1, 7} {
				s.equal("", s.segment(segment, start))
				s.equal(map[int]int64{}, s.sizes(segment))
			}
			for _, segment := range []uint32{254, 256} {
				s.equal(s.Shards(), len(strings.Fields(s.segment(segment, start))))
				s.equal(s.Shards(), len(s.sizes(segment)))
			}
		}
		check()
		s.reopen()
		check()
		// The next change may still say that the user was there.
		s.must(s.PutMembers(s.ctx, 0, 2, []store.MemberChange{{Was: []uint32{254, 255, 256, 1<<32 - 1}, Now: in("ann", 254, 256)}}, nil))
		s.equal("ann[254 256]", s.members("ann"))
		check()
		if s.Shared() { // a process that was replaced may put something late
			s.must(s.PutMembers(s.ctx, 0, store.MaxStamp, []store.MemberChange{{Now: in("bob", 255)}}, map[uint32]int64{255: 1}))
			check()
		}
	}},
	{"members/what comes before a mark survives with it", func(s *suite) {
		s.put(0, 1, in("ann", 1), in("bob", 1))
		s.must(s.PutTimers(s.ctx, 0, []store.Timer{{At: time.UnixMilli(5), UserID: "ann"}, {At: time.UnixMilli(6), UserID: "bob"}}))
		s.must(s.PutMembers(s.ctx, 0, 2, []store.MemberChange{{Was: []uint32{1}, Now: in("bob", 2)}}, map[uint32]int64{1: 1, 2: 1}))
		s.must(s.DropTimers(s.ctx, 0, time.UnixMilli(0), time.UnixMilli(6)))
		s.put(0, 3, in("cat", 3))
		s.must(s.DropSegment(s.ctx, 3))
		s.must(s.Transitions().SetMark(s.ctx, 0, 9))
		s.must(s.Append(s.ctx, 0, 1, []byte("row")))
		s.crash()
		mark, err := s.Transitions().Mark(s.ctx, 0)
		s.must(err)
		s.equal(store.Seq(9), mark)
		s.equal("ann[1] bob[2]", s.members("ann", "bob"))
		s.equal([]string{"0/ann", "0/bob", ""}, []string{s.segment(1, start), s.segment(2, start), s.segment(3, start)})
		s.equal(map[int]int64{0: 1}, s.sizes(1))
		s.equal("6 bob", s.timers(0, time.Time{}, time.UnixMilli(100)))
	}},
	{"members/a crash leaves changes as a whole", func(s *suite) {
		const users = 300
		was := make([][]uint32, users)
		ids := make([]string, users)
		for round := range uint32(5) {
			changes := make([]store.MemberChange, users)
			for i := range changes {
				ids[i] = number(i)
				changes[i] = store.MemberChange{Was: was[i], Now: in(ids[i], round, round+uint32(i)%3+1)}
				was[i] = changes[i].Now.Segments
			}
			s.must(s.PutMembers(s.ctx, 0, uint64(round)+1, changes, nil))
		}
		s.crash()
		members, err := s.Members(s.ctx, 0, ids)
		s.must(err)
		byUser := map[string]bool{}
		for _, m := range members {
			for _, n := range m.Segments {
				byUser[fmt.Sprint(n, " ", m.UserID)] = true
			}
		}
		bySegment := map[string]bool{}
		for n := range uint32(10) {
			s.must(s.ReadSegment(s.ctx, n, start, func(p store.Place) error {
				bySegment[fmt.Sprint(n, " ", p.UserID)] = true
				return nil
			}))
		}
		s.equal(byUser, bySegment)
	}},
	{"members/a reader beside a writer sees those who stay", func(s *suite) {
		const stay, rounds = 40, 15
		some := func(name string, segments ...uint32) (members []store.Member) {
			for i := range stay {
				members = append(members, in(fmt.Sprintf("%02d-%s", i, name), segments...))
			}
			return members
		}
		s.put(0, 1, some("stays", 1)...)
		var running sync.WaitGroup
		running.Go(func() {
			for round := range uint64(rounds) {
				changes := make([]store.MemberChange, stay)
				for i, m := range some("comes and goes", 1) {
					changes[i].Now = m
					if round%2 == 1 {
						changes[i] = store.MemberChange{Was: m.Segments, Now: in(m.UserID)}
					}
				}
				if err := s.PutMembers(s.ctx, 0, round+2, changes, nil); err != nil {
					s.Error(err)
				}
			}
		})
		for range rounds {
			if n := strings.Count(s.segment(1, start), "-stays"); n != stay {
				s.Errorf("%d of %d are there", n, stay)
			}
		}
		running.Wait()
	}},
	{"members/what the contract does not allow is refused", func(s *suite) {
		for name, put := range map[string]func() error{
			"a stamp": func() error { return s.PutMembers(s.ctx, 0, store.MaxStamp+1, nil, map[uint32]int64{1: 1}) },
			"an order": func() error {
				return s.PutMembers(s.ctx, 0, 1, []store.MemberChange{{Now: in("ann", 1)}, {Now: in("bob", 2, 1)}}, nil)
			},
			"one twice": func() error {
				return s.PutMembers(s.ctx, 0, 1, []store.MemberChange{{Was: []uint32{1, 1}, Now: in("ann", 1)}}, nil)
			},
		} {
			if put() == nil {
				s.Errorf("%s was taken", name)
			}
		}
		s.equal("ann[] bob[]", s.members("ann", "bob"))
		s.equal("", s.segment(1, start))
		s.equal(map[int]int64{}, s.sizes(1))
	}},
}
