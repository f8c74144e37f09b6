package membership

import (
	"encoding/base64"
	"encoding/binary"
	"maps"
	"slices"

	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/store"
)

// Cursor is a place in the transitions: for each shard the last row that was seen.
type Cursor map[int]store.Seq

const cursorVersion = 1

// String returns the cursor as text that ParseCursor reads.
func (c Cursor) String() string {
	data := []byte{cursorVersion}
	for _, shard := range slices.Sorted(maps.Keys(c)) {
		data = binary.AppendUvarint(data, uint64(shard))
		data = binary.AppendUvarint(data, uint64(c[shard]))
	}
	return base64.RawURLEncoding.EncodeToString(data)
}

// ParseCursor reads a cursor of a store with so many shards, or returns event.ErrCorrupt.
func ParseCursor(text string, shards int) (Cursor, error) {
	data, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(data) == 0 || data[0] != cursorVersion {
		return nil, event.ErrCorrupt
	}
	c := Cursor{}
	for data = data[1:]; len(data) > 0; {
		shard, n := binary.Uvarint(data)
		if n <= 0 || shard >= uint64(shards) {
			return nil, event.ErrCorrupt
		}
		seq, m := binary.Uvarint(data[n:])
		if m <= 0 {
			return nil, event.ErrCorrupt
		}
		c[int(shard)] = store.Seq(seq)
		data = data[n+m:]
	}
	return c, nil
}
