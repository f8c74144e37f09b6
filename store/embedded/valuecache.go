package embedded

import "github.com/attune-shop/attune/model/event"

// valueCache keeps the values that were used of late, in two generations: when the young
// one has its share of the bytes, the old one is dropped whole. An absent value is kept
// as nil.
type valueCache struct {
	young, old map[event.Visitor][]byte
	bytes      int64 // of young
	bound      int64 // of both
}

// entryBytes is about what a map entry takes beside its key and value.
const entryBytes = 64

func entrySize(v event.Visitor, value []byte) int64 { return int64(len(v) + len(value) + entryBytes) }

func newValueCache(bound int64) *valueCache {
	return &valueCache{young: map[event.Visitor][]byte{}, bound: bound}
}

func (c *valueCache) get(v event.Visitor) ([]byte, bool) {
	if value, known := c.young[v]; known {
		return value, true
	}
	value, known := c.old[v]
	if known {
		c.put(v, value)
	}
	return value, known
}

func (c *valueCache) put(v event.Visitor, value []byte) {
	if old, known := c.young[v]; known {
		c.bytes -= entrySize(v, old)
	}
	c.young[v] = value
	c.bytes += entrySize(v, value)
	if c.bytes > c.bound/2 {
		c.old, c.young, c.bytes = c.young, map[event.Visitor][]byte{}, 0
	}
}
