package embedded

import (
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"
)

// compactions lets one compaction run at a time, and none before begin. Pebble writes out
// what it replayed when it opens, starts the compaction that is due then and waits for its
// end, which after a kill under load takes longer than all the rest.
type compactions struct {
	*pebble.ConcurrencyLimitScheduler
	begun atomic.Bool
}

// newCompactions needs no periodic granting, which is there for a limit that moves: with
// one at a time, the next is due where one ends.
func newCompactions() *compactions {
	return &compactions{ConcurrencyLimitScheduler: pebble.NewConcurrencyLimitSchedulerWithNoPeriodicGrantingForTest()}
}

// TrySchedule implements pebble.CompactionScheduler.
func (c *compactions) TrySchedule() (bool, pebble.CompactionGrantHandle) {
	if !c.begun.Load() {
		return false, nil
	}
	return c.ConcurrencyLimitScheduler.TrySchedule()
}

// begin lets compactions run; at the end of one, here of none, those that wait are asked for.
func (c *compactions) begin() {
	c.begun.Store(true)
	if granted, handle := c.TrySchedule(); granted {
		handle.Done()
	}
}
