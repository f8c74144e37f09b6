package membership

import (
	"maps"
	"sync"

	"github.com/attune-shop/attune/store"
	"github.com/attune-shop/attune/store/history"
)

// dirty are the users whom events may have moved since they were last looked at.
type dirty struct {
	mu sync.Mutex
	// edition is the one that the bits are of.
	edition *Edition
	users   map[string]bits
	// cursor is the place in the log up to which users are noted.
	cursor history.Cursor
	// full is signalled when there are too many users, room when they were taken.
	full, room chan struct{}
}

// reset forgets who waits, and says up to where that is right.
func (d *dirty) reset(cursor history.Cursor) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.users, d.cursor = map[string]bits{}, cursor
}

// add notes a user. Bits of another edition mean other segments, so those who wait for one of before
// are asked everything. d.mu is held.
func (d *dirty) add(e *Edition, userID string, which bits) {
	if d.edition != e {
		for id := range d.users {
			d.users[id] = nil
		}
		d.edition = e
	}
	if before, noted := d.users[userID]; noted {
		which = which.or(before)
	}
	d.users[userID] = which
}

// reach notes that the users of a row are noted, and returns how many users wait.
func (d *dirty) reach(shard int, seq store.Seq) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.cursor[shard] = seq
	return len(d.users)
}

// waiting returns how many users wait.
func (d *dirty) waiting() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.users)
}

// take returns the users who wait, and the place up to which they are all.
func (d *dirty) take() (*Edition, map[string]bits, history.Cursor) {
	d.mu.Lock()
	defer d.mu.Unlock()
	users := d.users
	d.users = map[string]bits{}
	signal(d.room)
	return d.edition, users, maps.Clone(d.cursor)
}

// signal wakes who waits for it, or the next who does.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
