package history_test

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"testing"

	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/store"
)

// TestFollowFromMemoryAndStore follows closely, and from behind what is in memory.
func TestFollowFromMemoryAndStore(t *testing.T) {
	s := open(t)
	const rows = 400
	live := follow(t, s)
	for i := range rows {
		e := view("ann", strconv.Itoa(i), "lamp", 0)
		e.SearchQuery = strings.Repeat("x", 1000)
		s.write(e)
	}
	live(rows)
	follow(t, s)(rows)
}

// follow follows from the beginning; what it returns waits for n events, each row once and
// in order, and ends it.
func follow(t *testing.T, s *shop) func(n int) {
	ctx, cancel := context.WithCancel(context.Background())
	seen := make(chan int, 1000)
	ended := make(chan error)
	go func() {
		last := map[int]store.Seq{}
		ended <- s.Follow(ctx, nil, func(shard int, seq store.Seq, events []event.Event) error {
			if seq != last[shard]+1 {
				t.Errorf("row %d of shard %d after %d", seq, shard, last[shard])
			}
			last[shard] = seq
			seen <- len(events)
			return nil
		})
	}()
	return func(n int) {
		for n > 0 {
			n -= <-seen
		}
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	}
}
