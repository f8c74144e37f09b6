package embedded

import (
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
)

// TestTwoWritesWaitForRoom: each of the two databases may have one, and neither ends the
// other's wait.
func TestTwoWritesWaitForRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		free := new(atomic.Uint64)
		s := newSpace(disk{free: free}, "data", 100)
		s.setOpen()
		for range 2 { // it happens again
			free.Store(0)
			var waiting sync.WaitGroup
			for range 2 {
				waiting.Go(s.await)
			}
			<-s.full()
			synctest.Wait()
			if s.check() == nil {
				t.Error("taken in while writes wait")
			}
			free.Store(1000)
			waiting.Wait()
			if err := s.check(); err != nil {
				t.Error(err)
			}
			select {
			case <-s.full():
				t.Error("still full")
			default:
			}
		}
	})
}
