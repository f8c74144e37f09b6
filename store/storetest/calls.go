package storetest

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"time"

	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/store"
)

// callCases hold for every method alike.
var callCases = []testCase{
	{"calls/a context that has ended ends every call", func(s *suite) {
		v := s.inShard(0, 1)[0]
		revision := s.change(0, store.ItemChange{Put: []event.Item{{ID: "lamp"}}})
		for _, version := range []string{"0", "1"} {
			s.must(s.SaveModel(s.ctx, store.Model{Version: version}, strings.NewReader("x")))
		}
		s.must(s.SetActiveModel(s.ctx, "1"))
		s.must(s.SaveCheckpoint(s.ctx, "trend", []byte("x")))
		s.must(s.Lease(s.ctx, "work", "ann", time.Minute))
		s.must(s.PutRejected(s.ctx, []store.DeadLetter{{Data: []byte("x")}}))
		s.must(s.PutLinks(s.ctx, []event.Link{{AnonymousID: "cookie", UserID: "ann"}}))
		letters, err := s.RejectedLetters(s.ctx, "", 10)
		s.must(err)
		letter := letters[0].ID
		put := []store.MemberChange{{Was: []uint32{1}, Now: in("ann", 2)}}
		register, err := s.SetRegister(s.ctx, "segments", "", []byte("x"))
		s.must(err)
		s.put(0, 1, in("ann", 1))
		s.must(s.PutTimers(s.ctx, 0, []store.Timer{{At: noon, UserID: "ann"}}))
		ctx, cancel := context.WithCancel(s.ctx)
		cancel()
		never := func(store.Record) error { s.Error("a callback ran"); return context.Canceled }
		for name, call := range map[string]func() error{
			"Head":        func() error { _, err := s.Head(ctx, 0); return err },
			"Append":      func() error { return s.Append(ctx, 0, 1, []byte("x")) },
			"ReadLog":     func() error { return s.ReadLog(ctx, 0, 1, func(store.Seq, []byte) error { return nil }) },
			"Mark":        func() error { _, err := s.Mark(ctx, 0); return err },
			"Fence":       func() error { _, err := s.Fence(ctx, 0); return err },
			"SetFence":    func() error { return s.SetFence(ctx, 0, 1) },
			"BeginEpoch":  func() error { _, err := s.BeginEpoch(ctx, 0, ""); return err },
			"SetMark":     func() error { return s.SetMark(ctx, 0, 1) },
			"TrimLog":     func() error { return s.TrimLog(ctx, 0, 1) },
			"PutEvents":   func() error { return s.PutEvents(ctx, 0, []store.Record{record(v, "a", 1, "")}) },
			"HasEvents":   func() error { _, err := s.HasEvents(ctx, 0, []store.Record{record(v, "a", 1, "")}); return err },
			"ReadEvents":  func() error { return s.ReadEvents(ctx, 0, v, never) },
			"ScanEvents":  func() error { return s.ScanEvents(ctx, never) },
			"PutLinks":    func() error { return s.PutLinks(ctx, []event.Link{{AnonymousID: "a", UserID: "b"}}) },
			"Owner":       func() error { _, err := s.Owner(ctx, "cookie"); return err },
			"LinkedTo":    func() error { _, err := s.LinkedTo(ctx, "b", 10); return err },
			"GetFeatures": func() error { _, err := s.GetFeatures(ctx, 0, []event.Visitor{v}); return err },
			"SwapFeatures": func() error {
				_, err := s.SwapFeatures(ctx, 0, []store.Change{{Visitor: v, New: []byte("a")}})
				return err
			},
			"FlushFeatures": func() error { return s.FlushFeatures(ctx, 0) },
			"ScanFeatures":  func() error { return s.ScanFeatures(ctx, func(event.Visitor, []byte) error { return nil }) },
			"Items":         func() error { _, err := s.Items(ctx, func(event.Item) error { return nil }); return err },
			"ChangeItems": func() error {
				_, err := s.ChangeItems(ctx, revision, store.ItemChange{Delete: []string{"lamp"}})
				return err
			},
			"ItemChanges": func() error {
				return s.ItemChanges(ctx, revision, func(store.Seq, store.ItemChange) error { return nil })
			},
			"Lease":           func() error { return s.Lease(ctx, "play", "ann", time.Minute) },
			"EndLease":        func() error { return s.EndLease(ctx, "work", "ann") },
			"PutRejected":     func() error { return s.PutRejected(ctx, []store.DeadLetter{{}}) },
			"RejectedLetters": func() error { _, err := s.RejectedLetters(ctx, "", 10); return err },
			"RejectedLetter":  func() error { _, err := s.RejectedLetter(ctx, letter); return err },
			"DeleteRejected":  func() error { return s.DeleteRejected(ctx, []string{letter}) },
			"SaveModel":       func() error { return s.SaveModel(ctx, store.Model{Version: "2"}, strings.NewReader("x")) },
			"OpenModel":       func() error { _, err := s.OpenModel(ctx, "1"); return err },
			"Models":          func() error { _, err := s.Models(ctx); return err },
			"ActiveModel":     func() error { _, err := s.ActiveModel(ctx); return err },
			"SetActiveModel":  func() error { return s.SetActiveModel(ctx, "0") },
			"DeleteModel":     func() error { return s.DeleteModel(ctx, "0") },
			"SaveCheckpoint":  func() error { return s.SaveCheckpoint(ctx, "trend", []byte("y")) },
			"Register":        func() error { return third(s.Register(ctx, "segments")) },
			"SetRegister":     func() error { return second(s.SetRegister(ctx, "segments", register, []byte("y"))) },
			"stream Head":     func() error { return second(s.Transitions().Head(ctx, 0)) },
			"stream Append":   func() error { return s.Transitions().Append(ctx, 0, 1, []byte("x")) },
			"stream Read":     func() error { return s.Transitions().Read(ctx, 0, 1, func(store.Seq, []byte) error { return nil }) },
			"stream Mark":     func() error { return second(s.Transitions().Mark(ctx, 0)) },
			"stream SetMark":  func() error { return s.Transitions().SetMark(ctx, 0, 1) },
			"stream Trim":     func() error { return s.Transitions().Trim(ctx, 0, 1) },
			"stream First":    func() error { return second(s.Transitions().First(ctx, 0)) },
			"PutMembers":      func() error { return s.PutMembers(ctx, 0, 2, put, map[uint32]int64{1: 0}) },
			"Members":         func() error { return second(s.Members(ctx, 0, []string{"ann"})) },
			"ReadSegment": func() error {
				return s.ReadSegment(ctx, 1, store.Place{}, func(store.Place) error { return never(store.Record{}) })
			},
			"SegmentSizes": func() error { return second(s.SegmentSizes(ctx, 1)) },
			"DropSegment":  func() error { return s.DropSegment(ctx, 1) },
			"PutTimers":    func() error { return s.PutTimers(ctx, 0, []store.Timer{{At: at(1), UserID: "bob"}}) },
			"ReadTimers": func() error {
				return s.ReadTimers(ctx, 0, noon, at(time.Hour), func(store.Timer) error { return never(store.Record{}) })
			},
			"DropTimers": func() error { return s.DropTimers(ctx, 0, noon, at(time.Hour)) },
			"Checkpoint": func() error { _, err := s.Checkpoint(ctx, "trend"); return err },
		} {
			if err := call(); err == nil {
				s.Errorf("%s went on", name)
			} else {
				s.wants(err, context.Canceled)
			}
		}
		// None of them changed anything.
		head, err := s.Head(s.ctx, 0)
		s.must(err)
		mark, err := s.Mark(s.ctx, 0)
		s.must(err)
		s.equal([]store.Seq{0, 0}, []store.Seq{head, mark})
		s.equal("(none)", s.feature(0, v))
		s.equal(0, len(s.events(v)))
		linked, err := s.LinkedTo(s.ctx, "b", 10)
		s.must(err)
		s.equal(0, len(linked))
		items, now := s.items()
		s.equal(1, len(items))
		s.equal(revision, now)
		left, err := s.RejectedLetters(s.ctx, "", 10)
		s.must(err)
		s.equal(letters, left)
		models, err := s.Models(s.ctx)
		s.must(err)
		s.equal(2, len(models))
		active, err := s.ActiveModel(s.ctx)
		s.must(err)
		s.equal("1", active)
		data, err := s.Checkpoint(s.ctx, "trend")
		s.must(err)
		s.equal("x", string(data))
		s.wants(s.Lease(s.ctx, "work", "bob", time.Minute), event.ErrBusy)
		s.must(s.Lease(s.ctx, "play", "bob", time.Minute))
		value, version := s.register("segments")
		s.equal([]string{"x", register}, []string{value, version})
		s.equal(map[store.Seq]string{}, s.rowsOf(transitionStream{s}, 0, 1))
		s.equal([]string{"ann[1]", "0/ann", ""}, []string{s.members("ann"), s.segment(1, start), s.segment(2, start)})
		s.equal(map[int]int64{}, s.sizes(1))
		s.equal(clock(0)+" ann", s.timers(0, longAgo, at(time.Hour)))
	}},
	{"calls/a callback's error ends the call and comes back as it is", func(s *suite) {
		v := s.inShard(0, 2)
		revision := store.Seq(0)
		for i, v := range v {
			s.must(s.Append(s.ctx, 0, store.Seq(i+1), []byte(v)))
			s.must(s.PutEvents(s.ctx, 0, []store.Record{record(v, "a", store.Seq(i+1), ""), record(v, "b", store.Seq(i+1), "")}))
			s.swap(v, nil, []byte("features"))
			revision = s.change(revision, store.ItemChange{Put: []event.Item{{ID: string(v)}}})
		}
		for seq := store.Seq(1); seq <= 2; seq++ {
			s.must(s.Transitions().Append(s.ctx, 0, seq, []byte(number(int(seq)))))
		}
		s.put(0, 1, in("ann", 1), in("bob", 1))
		s.must(s.PutTimers(s.ctx, 0, []store.Timer{{At: noon, UserID: "ann"}, {At: noon, UserID: "bob"}, {At: at(time.Hour), UserID: "bob"}}))
		stop, calls := errors.New("stop"), 0
		fail := func() error { calls++; return stop }
		ofRecords := func(store.Record) error { return fail() }
		methods := map[string]func() error{
			"ReadLog":      func() error { return s.ReadLog(s.ctx, 0, 1, func(store.Seq, []byte) error { return fail() }) },
			"ReadEvents":   func() error { return s.ReadEvents(s.ctx, 0, v[0], ofRecords) },
			"ScanEvents":   func() error { return s.ScanEvents(s.ctx, ofRecords) },
			"ScanFeatures": func() error { return s.ScanFeatures(s.ctx, func(event.Visitor, []byte) error { return fail() }) },
			"Items":        func() error { _, err := s.Items(s.ctx, func(event.Item) error { return fail() }); return err },
			"stream Read": func() error {
				return s.Transitions().Read(s.ctx, 0, 1, func(store.Seq, []byte) error { return fail() })
			},
			"ReadSegment": func() error { return s.ReadSegment(s.ctx, 1, start, func(store.Place) error { return fail() }) },
			"ReadTimers":  func() error { return s.ReadTimers(s.ctx, 0, longAgo, never, func(store.Timer) error { return fail() }) },
		}
		if s.Shared() { // else nothing is kept of changes
			methods["ItemChanges"] = func() error {
				return s.ItemChanges(s.ctx, 0, func(store.Seq, store.ItemChange) error { return fail() })
			}
		}
		for name, call := range methods {
			calls = 0
			if err := call(); err != stop { //nolint:errorlint // not even wrapped
				s.Errorf("%s returned %#v", name, err)
			}
			if calls != 1 {
				s.Errorf("%s went on, %d calls", name, calls)
			}
		}
	}},
	{"calls/lists without elements are fine", func(s *suite) {
		s.must(s.PutEvents(s.ctx, 0, nil))
		s.must(s.PutLinks(s.ctx, nil))
		s.must(s.DeleteRejected(s.ctx, nil))
		values, err := s.GetFeatures(s.ctx, 0, nil)
		s.must(err)
		done, err := s.SwapFeatures(s.ctx, 0, nil)
		s.must(err)
		models, err := s.Models(s.ctx)
		s.must(err)
		s.equal([]int{0, 0, 0}, []int{len(values), len(done), len(models)})
		s.must(s.ReadEvents(s.ctx, 0, event.User("nobody"), func(store.Record) error { s.Error("an event of nobody"); return nil }))
		s.must(s.FlushFeatures(s.ctx, 0))
		s.must(s.TrimLog(s.ctx, 0, 10))
		s.must(s.Transitions().Trim(s.ctx, 0, 10))
		s.must(s.PutMembers(s.ctx, 0, 1, nil, nil))
		members, err := s.Members(s.ctx, 0, nil)
		s.must(err)
		s.equal(0, len(members))
		s.must(s.DropSegment(s.ctx, 1))
		s.must(s.PutTimers(s.ctx, 0, nil))
		s.must(s.DropTimers(s.ctx, 0, longAgo, never))
	}},
	{"calls/slices can be used again by the caller", func(s *suite) {
		v := s.inShard(0, 1)[0]
		buffer := []byte("row 1")
		s.must(s.Append(s.ctx, 0, 1, buffer))
		records := []store.Record{{Visitor: v, EventID: "a", Seq: 1, Data: buffer}}
		s.must(s.PutEvents(s.ctx, 0, records))
		s.must(s.SaveCheckpoint(s.ctx, "trend", buffer))
		letters := []store.DeadLetter{{Data: buffer}}
		s.must(s.PutRejected(s.ctx, letters))
		visitors := []event.Visitor{v}
		changes := []store.Change{{Visitor: v, Old: s.stored(0, v), New: []byte("features")}}
		_, err := s.SwapFeatures(s.ctx, 0, changes)
		s.must(err)
		register, err := s.SetRegister(s.ctx, "segments", "", buffer)
		s.must(err)
		s.must(s.Transitions().Append(s.ctx, 0, 1, buffer))
		was := []uint32{7}
		moved := []store.MemberChange{{Was: was, Now: in("ann", 1, 2)}}
		segments, sizes := moved[0].Now.Segments, map[uint32]int64{1: 1}
		s.must(s.PutMembers(s.ctx, 0, 1, moved, sizes))
		timers := []store.Timer{{At: noon, UserID: "ann"}}
		s.must(s.PutTimers(s.ctx, 0, timers))
		was[0], segments[0], segments[1], sizes[1], moved[0], timers[0] = 2, 3, 4, 5, store.MemberChange{}, store.Timer{}
		copy(buffer, "-----")
		records[0], visitors[0], changes[0], letters[0] = store.Record{}, "", store.Change{}, store.DeadLetter{}
		s.equal(map[store.Seq]string{1: "row 1"}, s.rows(0, 1))
		s.equal([]store.Record{record(v, "a", 1, "row 1")}, s.events(v))
		s.equal("features", s.feature(0, v))
		value, version := s.register("segments")
		s.equal([]string{"row 1", register}, []string{value, version})
		s.equal(map[store.Seq]string{1: "row 1"}, s.rowsOf(transitionStream{s}, 0, 1))
		s.equal([]string{"ann[1 2]", "0/ann"}, []string{s.members("ann"), s.segment(2, start)})
		s.equal(map[int]int64{0: 1}, s.sizes(1))
		s.equal(clock(0)+" ann", s.timers(0, longAgo, never))
		data, err := s.Checkpoint(s.ctx, "trend")
		s.must(err)
		s.equal("row 1", string(data))
		kept, err := s.RejectedLetters(s.ctx, "", 1)
		s.must(err)
		s.equal(true, bytes.Equal([]byte("row 1"), kept[0].Data))
	}},
}
