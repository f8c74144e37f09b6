package event

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"time"
)

// The version bytes with which stored events and items begin.
const (
	eventVersion = 1
	itemVersion  = 1
)

// writeText writes a length and the bytes.
func writeText(dst []byte, s string) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(s)))
	return append(dst, s...)
}

// writeMoney writes 0 for no amount, 1 for the currency of the amount before it, else
// 2 + the length of the currency's code and the code; then the amount. It returns the
// currency that a following amount is compared with.
func writeMoney(dst []byte, m Money, before string) ([]byte, string) {
	switch {
	case m == (Money{}):
		return append(dst, 0), before
	case m.Currency == before:
		dst = append(dst, 1)
	default:
		dst = binary.AppendUvarint(dst, uint64(len(m.Currency))+2)
		dst = append(dst, m.Currency...)
	}
	return binary.AppendVarint(dst, m.Minor), m.Currency
}

// reader takes stored bytes apart. The strings that it returns share the one copy that
// was made of the bytes. After the first bad byte it returns zeros and remembers.
type reader struct {
	text string
	pos  int
	bad  bool
}

// open checks the version byte and copies the rest.
func open(data []byte, what string, version byte) (reader, error) {
	switch {
	case len(data) == 0 || data[0] == 0:
		return reader{}, fmt.Errorf("%s: no version: %w", what, ErrCorrupt)
	case data[0] > version:
		return reader{}, fmt.Errorf("%s: version %d, known up to %d: %w", what, data[0], version, ErrNewerVersion)
	}
	return reader{text: string(data), pos: 1}, nil
}

// close reports bad bytes and bytes left over.
func (r *reader) close(what string) error {
	if r.bad || r.pos != len(r.text) {
		return fmt.Errorf("%s: damaged near byte %d of %d: %w", what, r.pos, len(r.text), ErrCorrupt)
	}
	return nil
}

func (r *reader) left() int { return len(r.text) - r.pos }

func (r *reader) fail() uint64 {
	r.bad = true
	r.pos = len(r.text)
	return 0
}

func (r *reader) uvarint() uint64 {
	if r.pos < len(r.text) && r.text[r.pos] < 0x80 {
		r.pos++
		return uint64(r.text[r.pos-1])
	}
	var x uint64
	for shift := 0; shift < 70; shift += 7 {
		if r.pos >= len(r.text) {
			return r.fail()
		}
		c := r.text[r.pos]
		r.pos++
		if shift == 63 && c > 1 {
			return r.fail()
		}
		x |= uint64(c&0x7f) << shift
		if c < 0x80 {
			return x
		}
	}
	return r.fail()
}

func (r *reader) varint() int64 {
	u := r.uvarint()
	return int64(u>>1) ^ -int64(u&1)
}

// take returns the next n bytes.
func (r *reader) take(n uint64) string {
	if n > uint64(r.left()) {
		r.fail()
		return ""
	}
	s := r.text[r.pos : r.pos+int(n)]
	r.pos += int(n)
	return s
}

func (r *reader) str() string { return r.take(r.uvarint()) }

// bytes returns a copy of its own, nil where there is nothing.
func (r *reader) bytes() []byte {
	if s := r.str(); s != "" {
		return []byte(s)
	}
	return nil
}

// count returns how many elements of at least size bytes follow, never more than can.
func (r *reader) count(size int) int {
	n := r.uvarint()
	if n > uint64(r.left()/size) {
		r.fail()
		return 0
	}
	return int(n)
}

// money reads an amount; before is the currency of the amount before it.
func (r *reader) money(before *string) Money {
	switch mark := r.uvarint(); mark {
	case 0:
		return Money{}
	case 1:
	default:
		*before = r.take(mark - 2)
	}
	return Money{Currency: *before, Minor: r.varint()}
}

func (r *reader) time() time.Time { return time.UnixMicro(r.varint()).UTC() }

// present is the set of a message's fields that are not empty, bit by bit.
type present uint64

func (p *present) mark(bit uint, is bool) {
	if is {
		*p |= 1 << bit
	}
}

func (p present) has(bit uint) bool { return p&(1<<bit) != 0 }

// within tells that no bit is set from limit on.
func (p present) within(limit int) bool { return bits.Len64(uint64(p)) <= limit }
