package history

import (
	"crypto/rand"
	"encoding/binary"
	"fmt"

	"github.com/attune-shop/attune/model/event"
)

// A row of the log is: format version (1 byte), the writer's nonce (8 bytes), the number
// of events, and for each its length and its binary form. Numbers are unsigned varints.
// A fence (epoch.go) is a format of its own: version, nonce, and the epoch.
const (
	rowVersion   = 1
	fenceVersion = 2
)

// maxRow bounds the bytes of a row that has more than one event: what a store takes in one
// piece, and some megabytes less than the greatest write of a CQL server.
const maxRow = 1 << 20

// entry is one event of a row on its way into the projections. data is its binary form,
// within the row.
type entry struct {
	event *event.Event
	data  []byte
	view  *view
}

// nonces makes every row differ from every other, whoever writes it, so that a store which
// does not know what became of an append finds out by comparing rows: a random start,
// counted up.
type nonces uint64

func newNonces() nonces {
	var start [8]byte
	rand.Read(start[:])
	return nonces(binary.LittleEndian.Uint64(start[:]))
}

func (n *nonces) next() uint64 {
	*n++
	return uint64(*n)
}

// encodeRow returns a row of the first entries, as many as fit into maxRow bytes, and how
// many those are, and points their data into it. It works in scratch, which it returns for
// the next row.
func encodeRow(scratch []byte, nonce uint64, entries []entry) (row []byte, count int, grown []byte) {
	sizes := make([]int, 0, len(entries))
	scratch = scratch[:0]
	for i := range entries {
		before := len(scratch)
		scratch = entries[i].event.Append(scratch)
		if len(scratch) > maxRow && i > 0 {
			scratch = scratch[:before]
			break
		}
		sizes = append(sizes, len(scratch)-before)
	}
	const header = 1 + 8
	row = make([]byte, 0, header+(1+len(sizes))*binary.MaxVarintLen32+len(scratch))
	row = append(row, rowVersion)
	row = binary.LittleEndian.AppendUint64(row, nonce)
	row = binary.AppendUvarint(row, uint64(len(sizes)))
	rest := scratch
	for i, size := range sizes {
		row = binary.AppendUvarint(row, uint64(size))
		row = append(row, rest[:size]...)
		rest = rest[size:]
		entries[i].data = row[len(row)-size : len(row) : len(row)]
	}
	return row, len(sizes), scratch
}

// encodeFence returns a row that names an epoch.
func encodeFence(epoch string) []byte {
	row := make([]byte, 9, 9+len(epoch))
	row[0] = fenceVersion
	rand.Read(row[1:])
	return append(row, epoch...)
}

// content is what a row holds: events and the binary form of each, within the row, or an
// epoch.
type content struct {
	events []event.Event
	data   [][]byte
	fence  bool
	epoch  string
}

// decodeRow fails with event.ErrNewerVersion or event.ErrCorrupt.
func decodeRow(row []byte) (content, error) {
	if len(row) < 9 {
		return content{}, fmt.Errorf("log row of %d bytes: %w", len(row), event.ErrCorrupt)
	}
	switch row[0] {
	case fenceVersion:
		return content{fence: true, epoch: string(row[9:])}, nil
	case rowVersion:
	default:
		return content{}, fmt.Errorf("log row version %d: %w", row[0], event.ErrNewerVersion)
	}
	rest := row[9:]
	count, n := binary.Uvarint(rest)
	if n <= 0 || count > uint64(len(rest)) {
		return content{}, fmt.Errorf("log row: number of events: %w", event.ErrCorrupt)
	}
	rest = rest[n:]
	c := content{events: make([]event.Event, count), data: make([][]byte, count)}
	for i := range c.events {
		size, n := binary.Uvarint(rest)
		if n <= 0 || size > uint64(len(rest)-n) {
			return content{}, fmt.Errorf("log row: length of an event: %w", event.ErrCorrupt)
		}
		c.data[i] = rest[n : n+int(size) : n+int(size)]
		rest = rest[n+int(size):]
		var err error
		if c.events[i], err = event.Decode(c.data[i]); err != nil {
			return content{}, fmt.Errorf("log row: %w", err)
		}
	}
	if len(rest) != 0 {
		return content{}, fmt.Errorf("log row: %d bytes too many: %w", len(rest), event.ErrCorrupt)
	}
	return c, nil
}
