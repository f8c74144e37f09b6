package history

import (
	"sync"

	"github.com/attune-shop/attune/store"
)

// tailBytes bounds a shard's tail.
const tailBytes = 256 << 10

// tail is the newest rows of a shard that this process wrote itself, in memory, so that
// who follows closely need not read them from the store. Its zero value is empty.
type tail struct {
	mu    sync.Mutex
	first store.Seq // of rows
	rows  [][]byte
	bytes int
}

// add takes the next row in. After a gap, where another process wrote, it begins anew.
func (t *tail) add(seq store.Seq, row []byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if seq != t.first+store.Seq(len(t.rows)) {
		t.first, t.rows, t.bytes = seq, nil, 0
	}
	t.rows = append(t.rows, row)
	t.bytes += len(row)
	for t.bytes > tailBytes && len(t.rows) > 1 {
		t.bytes -= len(t.rows[0])
		t.first, t.rows = t.first+1, t.rows[1:]
	}
}

// from returns the rows from the given one on, none where the tail does not reach back to it.
func (t *tail) from(seq store.Seq) [][]byte {
	t.mu.Lock()
	defer t.mu.Unlock()
	if seq < t.first || seq >= t.first+store.Seq(len(t.rows)) {
		return nil
	}
	return t.rows[seq-t.first:]
}
