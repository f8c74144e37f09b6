package membership

import (
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/attune-shop/attune/model/event"
)

// transition is what one row of the stream says of one user: the numbers of the segments that
// it entered and left, each in ascending order.
type transition struct {
	userID        string
	entered, left []uint32
}

// A row of the stream is: version (1 byte), a nonce (8 bytes), the time in microseconds since
// 1970, the number of users, and for each the length of its id, the id, and twice a number of
// segments and these. Numbers are unsigned varints. A row with a nonce alone says that another
// process publishes from here on.
const rowVersion = 1

// maxRowBytes is where a row ends and the next begins.
const maxRowBytes = 512 << 10

// newRow begins a row; at the zero time one of a nonce alone.
func newRow(at time.Time) []byte {
	row := make([]byte, 9, 1024)
	row[0] = rowVersion
	rand.Read(row[1:])
	if at.IsZero() {
		return row
	}
	return binary.AppendUvarint(row, uint64(at.UnixMicro()))
}

// append adds what is said of one user to a row.
func (t *transition) append(row []byte) []byte {
	row = binary.AppendUvarint(row, uint64(len(t.userID)))
	row = append(row, t.userID...)
	for _, numbers := range [][]uint32{t.entered, t.left} {
		row = binary.AppendUvarint(row, uint64(len(numbers)))
		for _, n := range numbers {
			row = binary.AppendUvarint(row, uint64(n))
		}
	}
	return row
}

// decodeRow reads a row. Its errors wrap event.ErrCorrupt or event.ErrNewerVersion.
func decodeRow(row []byte) (at time.Time, all []transition, err error) {
	if len(row) > 0 && row[0] > rowVersion {
		return at, nil, fmt.Errorf("transitions of version %d: %w", row[0], event.ErrNewerVersion)
	}
	if len(row) < 9 || row[0] != rowVersion {
		return at, nil, fmt.Errorf("transitions of %d bytes: %w", len(row), event.ErrCorrupt)
	}
	r := rowReader{rest: row[9:]}
	if len(r.rest) == 0 {
		return at, nil, nil
	}
	at = time.UnixMicro(int64(r.number())).UTC()
	for len(r.rest) > 0 && !r.bad {
		t := transition{userID: string(r.take(r.number()))}
		t.entered, t.left = r.numbers(), r.numbers()
		all = append(all, t)
	}
	if r.bad {
		return at, nil, fmt.Errorf("transitions: %w", event.ErrCorrupt)
	}
	return at, all, nil
}

// rowReader takes a row apart. After the first bad byte it returns nothing and remembers.
type rowReader struct {
	rest []byte
	bad  bool
}

func (r *rowReader) number() uint64 {
	x, n := binary.Uvarint(r.rest)
	if n <= 0 {
		r.bad, r.rest = true, nil
		return 0
	}
	r.rest = r.rest[n:]
	return x
}

func (r *rowReader) take(n uint64) []byte {
	if n > uint64(len(r.rest)) {
		r.bad, r.rest = true, nil
		return nil
	}
	part := r.rest[:n]
	r.rest = r.rest[n:]
	return part
}

func (r *rowReader) numbers() []uint32 {
	n := r.number()
	if n == 0 || n > uint64(len(r.rest)) {
		r.bad = r.bad || n > 0
		return nil
	}
	all := make([]uint32, n)
	for i := range all {
		all[i] = uint32(r.number())
	}
	return all
}
