package cf

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"math"

	"github.com/cespare/xxhash/v2"

	"github.com/attune-shop/attune/model/cf/sparse"
	"github.com/attune-shop/attune/model/event"
)

// The binary form, all numbers little-endian:
//
//	"ATTUNECF"  version uint16
//	algorithm   length uint32, bytes
//	settings    lambda, dropout, near, debias, fade; of a filter factors, low-pass, exponent,
//	            sharpening: 9 x float32
//	items       uint32; each id: length uint32, bytes; ids increase
//	popularity  items x float32
//	similar, together, linear: each rows uint32 (items or 0); each row's length uint32;
//	            all columns uint32, increasing in a row; all values float32
//	factors     rank uint32; penalty 2 x float32; items x rank float32
//	blend       see encodeblend.go
//	checksum    xxhash64 of everything before, uint64
const (
	magic         = "ATTUNECF"
	formatVersion = 2
	// maxIDBytes and maxRank bound what a reader takes for possible.
	maxIDBytes = 1 << 12
	maxRank    = 1 << 10
)

// WriteTo writes the snapshot's binary form. It returns the number of bytes written and
// w's error; event.ErrExhausted where an item's id is longer than 4 KiB.
func (s *Snapshot) WriteTo(w io.Writer) (int64, error) {
	for _, id := range s.itemIDs {
		if len(id) > maxIDBytes {
			return 0, fmt.Errorf("snapshot: item id of %d bytes: %w", len(id), event.ErrExhausted)
		}
	}
	e := &encoder{digest: xxhash.New(), w: bufio.NewWriterSize(w, 1<<16)}
	e.bytes([]byte(magic))
	e.bytes(binary.LittleEndian.AppendUint16(nil, formatVersion))
	e.text(s.algorithm)
	e.settings(s.settings)
	e.number(uint32(len(s.itemIDs)))
	for _, id := range s.itemIDs {
		e.text(id)
	}
	e.floats(s.popular)
	e.rows(&s.similar)
	e.rows(&s.together)
	e.rows(&s.linear)
	e.number(uint32(s.factors.Cols))
	e.floats([]float32{s.penalty.unobserved, s.penalty.entry})
	e.floats(s.factors.Data)
	e.blend(s.blend)
	e.bytes(binary.LittleEndian.AppendUint64(nil, e.digest.Sum64()))
	if e.err == nil {
		e.err = e.w.Flush()
	}
	return e.written, e.err
}

// encoder writes until the first error.
type encoder struct {
	w       *bufio.Writer
	digest  *xxhash.Digest
	written int64
	err     error
	buffer  [4]byte
}

func (e *encoder) bytes(b []byte) {
	if e.err != nil {
		return
	}
	_, _ = e.digest.Write(b) // a Digest never fails
	var n int
	n, e.err = e.w.Write(b)
	e.written += int64(n)
}

func (e *encoder) number(x uint32) {
	binary.LittleEndian.PutUint32(e.buffer[:], x)
	e.bytes(e.buffer[:])
}

func (e *encoder) text(s string) {
	e.number(uint32(len(s)))
	e.bytes([]byte(s))
}

func (e *encoder) floats(all []float32) {
	for _, x := range all {
		e.number(math.Float32bits(x))
	}
}

func (e *encoder) settings(s Settings) {
	f := s.Filter
	for _, x := range []float64{
		s.Lambda, s.Dropout, s.Near, s.Debias, float64(s.Fade),
		float64(f.Factors), f.LowPass, f.Exponent, f.Sharpening,
	} {
		e.number(math.Float32bits(float32(x)))
	}
}

func (e *encoder) rows(m *sparse.Rows) {
	e.number(uint32(len(m.Ends)))
	var from int64
	for _, end := range m.Ends {
		e.number(uint32(end - from))
		from = end
	}
	for _, c := range m.Columns {
		e.number(uint32(c))
	}
	e.floats(m.Values)
}
