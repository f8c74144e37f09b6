package storetest

import (
	"fmt"
	"strings"
	"time"

	"github.com/attune-shop/attune/store"
)

// timers lists a shard's timers in a range, as MILLISECONDS USER.
func (s *suite) timers(shard int, from, until time.Time) string {
	s.Helper()
	var found []string
	s.must(s.ReadTimers(s.ctx, shard, from, until, func(t store.Timer) error {
		found = append(found, fmt.Sprint(t.At.UnixMilli(), " ", t.UserID))
		return nil
	}))
	return strings.Join(found, ", ")
}

var (
	// longAgo and never are a range of all timers.
	longAgo, never = time.Time{}, time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)
	// noon is a full hour.
	noon = time.Date(2030, 5, 17, 12, 0, 0, 0, time.UTC)
)

// at is a time so long after noon, and clock the same as timers says it.
func at(after time.Duration) time.Time { return noon.Add(after) }

func clock(after time.Duration) string { return fmt.Sprint(at(after).UnixMilli()) }

var timerCases = []testCase{
	{"timers/they come in the order of times, from the first of a range to before its end", func(s *suite) {
		const ms = time.Millisecond
		early := time.Date(1969, 12, 31, 23, 30, 0, 0, time.UTC)
		s.must(s.PutTimers(s.ctx, 0, []store.Timer{
			{At: at(25 * time.Hour), UserID: "ann"}, {At: at(ms), UserID: "bob"}, {At: at(ms), UserID: "ann"},
			{At: at(-ms), UserID: "cat"}, {At: noon, UserID: "dan"}, {At: early, UserID: "eve"},
		}))
		s.must(s.PutTimers(s.ctx, 1, []store.Timer{{At: noon, UserID: "else"}}))
		s.must(s.PutTimers(s.ctx, 0, []store.Timer{{At: noon, UserID: "dan"}, {At: at(2 * ms), UserID: "ann"}}))
		for range 2 {
			all := "-1800000 eve, " + clock(-ms) + " cat, " + clock(0) + " dan, " + clock(ms) + " ann, " + clock(ms) + " bob, " + clock(2*ms) + " ann, " + clock(25*time.Hour) + " ann"
			s.equal(all, s.timers(0, longAgo, never))
			s.equal(clock(0)+" dan, "+clock(ms)+" ann, "+clock(ms)+" bob", s.timers(0, noon, at(2*ms)))
			s.equal(clock(-ms)+" cat", s.timers(0, at(-time.Hour), noon))
			s.equal("-1800000 eve", s.timers(0, early, early.Add(ms)))
			s.equal("", s.timers(0, early.Add(ms), at(-ms)))
			s.equal("", s.timers(0, noon, noon))
			s.equal("", s.timers(0, at(time.Hour), noon))
			s.equal(clock(0)+" else", s.timers(1, longAgo, never))
			s.reopen()
		}
	}},
	{"timers/what is dropped is gone, and nothing else", func(s *suite) {
		var timers []store.Timer
		for minute := range 300 {
			timers = append(timers, store.Timer{At: at(time.Duration(minute) * time.Minute), UserID: "ann"})
		}
		s.must(s.PutTimers(s.ctx, 0, timers))
		s.must(s.PutTimers(s.ctx, 1, timers))
		count := func(from, until time.Duration) int {
			s.Helper()
			if s.timers(0, at(from), at(until)) == "" {
				return 0
			}
			return strings.Count(s.timers(0, at(from), at(until)), ",") + 1
		}
		drop := func(from, until time.Duration) {
			s.Helper()
			s.must(s.DropTimers(s.ctx, 0, at(from), at(until)))
			s.equal(0, count(from, until))
		}
		const hour, minute = time.Hour, time.Minute
		drop(10*minute, 20*minute)
		s.equal(290, count(0, 5*hour))
		drop(90*minute, 200*minute) // a half, a whole and a third of an hour
		s.equal(180, count(0, 5*hour))
		s.equal(30, count(hour, 90*minute))
		s.equal(40, count(200*minute, 4*hour))
		drop(5*minute, 5*minute)
		drop(hour, 0)
		s.equal(180, count(0, 5*hour))
		// An hour that ends by and by.
		for m := 4 * hour; m < 5*hour; m += 7 * minute {
			drop(m, m+7*minute)
		}
		s.equal(120, count(0, 24*hour))
		s.reopen()
		s.equal(120, count(0, 24*hour))
		s.must(s.DropTimers(s.ctx, 0, longAgo, never))
		s.must(s.DropTimers(s.ctx, 0, longAgo, never)) // there is nothing left
		s.equal("", s.timers(0, longAgo, never))
		s.equal(300, len(strings.Split(s.timers(1, longAgo, never), ",")))
		// They may be put again.
		s.must(s.PutTimers(s.ctx, 0, timers[10:12]))
		s.equal(clock(10*minute)+" ann, "+clock(11*minute)+" ann", s.timers(0, longAgo, never))
	}},
	{"timers/many of one moment and of many hours are read", func(s *suite) {
		const many = 1_500
		timers := make([]store.Timer, 0, 2*many)
		for i := range many {
			timers = append(timers, store.Timer{At: noon, UserID: fmt.Sprintf("user-%05d", i)},
				store.Timer{At: at(time.Duration(i/5) * 10 * time.Hour), UserID: fmt.Sprintf("later-%d", i)})
		}
		s.must(s.PutTimers(s.ctx, 0, timers))
		n, last := 0, longAgo
		s.must(s.ReadTimers(s.ctx, 0, longAgo, never, func(t store.Timer) error {
			if t.At.Before(last) {
				s.Errorf("%v comes after %v", t, last)
			}
			n, last = n+1, t.At
			return nil
		}))
		s.equal(2*many, n)
		s.must(s.DropTimers(s.ctx, 0, longAgo, at(10*time.Hour)))
		s.equal(many-5, len(strings.Split(s.timers(0, longAgo, never), ",")))
	}},
}
