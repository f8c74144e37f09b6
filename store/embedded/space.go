package embedded

import (
	"fmt"
	"sync"
	"time"

	"github.com/attune-shop/attune/model/event"
)

// reserveBytes is the disk space below which nothing is taken in any more: enough for
// Pebble to write out its memtables and to compact, so that it never meets a full disk.
const reserveBytes = 256 << 20

// space looks now and then at how much of the disk is free.
type space struct {
	dir  string
	mu   sync.Mutex
	next time.Time
	err  error
}

func newSpace(dir string) *space { return &space{dir: dir} }

// check returns event.ErrExhausted while the disk is as good as full. It asks the
// file system once a second at the most.
func (s *space) check() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if now := time.Now(); now.After(s.next) {
		s.next = now.Add(time.Second)
		free, err := diskUsage(s.dir)
		switch {
		case err != nil:
			s.err = fmt.Errorf("%w: %w", event.ErrUnavailable, err)
		case free < reserveBytes:
			s.err = fmt.Errorf("%w: %d MiB are free on the disk of %s, %d MiB are kept in reserve", event.ErrExhausted, free>>20, s.dir, reserveBytes>>20)
		default:
			s.err = nil
		}
	}
	return s.err
}
