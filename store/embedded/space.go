package embedded

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/attune-shop/attune/model/event"
)

// space knows whether the disk has room.
type space struct {
	fs      vfs.FS
	dir     string
	reserve uint64
	// exhausted is the error of a disk without any room.
	exhausted error

	mu sync.Mutex
	// open says that the store is open; before, a full disk is an error at once.
	open bool
	next time.Time // of the next look
	err  error     // why nothing is taken in, as of the last look
	// waiting counts the writes that wait for room; waits is closed while there is one.
	waiting int
	waits   chan struct{}
}

func newSpace(fs vfs.FS, dir string, reserve uint64) *space {
	return &space{
		fs: fs, dir: dir, reserve: reserve,
		exhausted: fmt.Errorf("%w: the disk of %s is full", event.ErrExhausted, dir),
		waits:     make(chan struct{}),
	}
}

// check returns event.ErrExhausted while the disk is as good as full. It asks the
// file system once a second at the most.
func (s *space) check() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.waiting > 0 {
		return s.exhausted
	}
	if now := time.Now(); now.After(s.next) {
		s.next = now.Add(time.Second)
		s.err = s.look(s.reserve)
	}
	return s.err
}

// look returns event.ErrExhausted where less than least bytes are free.
func (s *space) look(least uint64) error {
	usage, err := s.fs.GetDiskUsage(s.dir)
	switch {
	case errors.Is(err, vfs.ErrUnsupported):
		return nil
	case err != nil:
		return fmt.Errorf("%w: %w", event.ErrUnavailable, err)
	case usage.AvailBytes < least:
		return fmt.Errorf("%w: %d MiB are free on the disk of %s, %d MiB are kept in reserve", event.ErrExhausted, usage.AvailBytes>>20, s.dir, s.reserve>>20)
	}
	return nil
}

func (s *space) isOpen() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.open
}

func (s *space) setOpen() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open = true
}

// full returns a channel that is closed while a write waits for room.
func (s *space) full() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.waits
}

// retryEvery is the time between two looks for room on a full disk.
const retryEvery = 100 * time.Millisecond

// await returns once a full disk has room again, for what was taken in before: half the
// reserve. The file system calls it from the write that failed, and then repeats that.
func (s *space) await() {
	s.mu.Lock()
	if !s.open {
		s.mu.Unlock()
		return
	}
	if s.waiting++; s.waiting == 1 {
		close(s.waits)
	}
	s.mu.Unlock()
	for {
		time.Sleep(retryEvery)
		if s.look(s.reserve/2) == nil {
			break
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.waiting--; s.waiting == 0 {
		s.next, s.waits = time.Time{}, make(chan struct{})
	}
}
