package history

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/model/feature"
	"github.com/attune-shop/attune/store"
)

// features is what is stored of a visitor as one value.
type features struct {
	// through is the number of the last log row that is folded in.
	through store.Seq
	// bytes is the size of the events that are folded in, in their binary form.
	bytes int64
	// linked says that an event of the visitor named an anonymous one, so that whoever asks
	// for a user without such an event need not look for links.
	linked bool
	state  *feature.State
}

// fold takes an event in, whose binary form has so many bytes.
func (f *features) fold(e *event.Event, bytes int) {
	f.bytes += int64(bytes)
	if _, linked := e.Link(); linked {
		f.linked = true
	}
	f.state.Fold(e)
}

// The stored value is through as an unsigned varint, a byte that tells its form and whether
// it is linked, bytes as an unsigned varint, and the State's binary form. Values without that
// byte are older and say nothing of links and bytes; no version of a State is as great.
const (
	byteUnlinked = 0xf0
	byteLinked   = 0xf1
)

func (f *features) append(dst []byte) []byte {
	dst = binary.AppendUvarint(dst, uint64(f.through))
	if f.linked {
		dst = append(dst, byteLinked)
	} else {
		dst = append(dst, byteUnlinked)
	}
	dst = binary.AppendUvarint(dst, uint64(f.bytes))
	return f.state.Append(dst)
}

// decodeFeatures fails with event.ErrCorrupt, event.ErrNewerVersion or feature.ErrOutdated.
func decodeFeatures(value []byte) (f features, err error) {
	through, n := binary.Uvarint(value)
	if n <= 0 {
		return f, fmt.Errorf("features: sequence number: %w", event.ErrCorrupt)
	}
	f.through, f.linked = store.Seq(through), true
	rest := value[n:]
	if len(rest) > 0 && (rest[0] == byteLinked || rest[0] == byteUnlinked) {
		f.linked = rest[0] == byteLinked
		bytes, n := binary.Uvarint(rest[1:])
		if n <= 0 || bytes > math.MaxInt64 {
			return f, fmt.Errorf("features: bytes of the events: %w", event.ErrCorrupt)
		}
		f.bytes, rest = int64(bytes), rest[1+n:]
	}
	f.state, err = feature.Decode(rest)
	return f, err
}
