package storetest

import (
	"time"

	"github.com/attune-shop/attune/model/event"
)

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
