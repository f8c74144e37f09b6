package embedded

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"time"

	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/store"
)

// The folder holds the database in db/, that of the features in features/, and model payloads in models/, each named by its
// model's record.
//
// The first byte of a key says what it is. Numbers are big-endian, so that keys sort by
// them; ids hold no control character (event.Validate), so that \x00 ends one.
//
//	F                                      format version (1 byte), number of shards (4)
//	l shard(2) seq(8)                      log row
//	m shard(2)                             mark (8)
//	p shard(2)                             fence (8)
//	e shard(2) visitor \0 event \0 seq(8)  event
//	o anonymous \0 time(8) event \0 user   link, the least first
//	u user \0 anonymous                    link seen from the user
//	i item                                 item
//	r id                                   dead letter, as JSON; ids are 16 hex digits
//	n                                      number of the last dead letter (8)
//	v version                              model, as JSON
//	a                                      version of the active model
//	c name                                 checkpoint
//	g name                                 register: version (8), value
//	t shard(2) seq(8)                      row of the transitions
//	k shard(2)                             mark of the transitions (8)
//	s shard(2) user                        published of a user (store.Member.Append)
//	b segment(4) shard(2) user             member of a segment
//	z segment(4) shard(2)                  number of a segment's members in a shard (8)
//	d shard(2) time(8) user                timer, in milliseconds
//
// and in features/
//
//	F                                      as above
//	f shard(2) visitor                     features
//	h shard(2)                             number of the last log row when features were last flushed (8)
//
// Keys are ordered by their bytes. Bloom filters are of an event's key without its
// number, and of other keys as a whole.
//
// A kind that is new needs no new version: who does not know it looks at none of its keys.
const formatVersion = 1

const (
	databaseFolder = "db"
	featuresFolder = "features"
	modelsFolder   = "models"
)

var (
	formatKey  = []byte("F")
	lettersKey = []byte("n")
	activeKey  = []byte("a")
)

func encodeFormat(shards int) []byte {
	return binary.BigEndian.AppendUint32([]byte{formatVersion}, uint32(shards))
}

// decodeFormat returns the number of shards.
func decodeFormat(value []byte) (shards int, err error) {
	if len(value) > 0 && value[0] > formatVersion {
		return 0, fmt.Errorf("format %d, this version knows %d: %w", value[0], formatVersion, event.ErrNewerVersion)
	}
	if len(value) != 5 || value[0] != formatVersion {
		return 0, fmt.Errorf("format record % x: %w", value, event.ErrCorrupt)
	}
	n := binary.BigEndian.Uint32(value[1:])
	if n == 0 || n > math.MaxUint16+1 {
		return 0, fmt.Errorf("format record with %d shards: %w", n, event.ErrCorrupt)
	}
	return int(n), nil
}

func shardKey(kind byte, shard int) []byte {
	return binary.BigEndian.AppendUint16([]byte{kind}, uint16(shard))
}

func appendEventKey(dst []byte, shard int, v event.Visitor, id string, seq store.Seq) []byte {
	dst = binary.BigEndian.AppendUint16(append(dst, 'e'), uint16(shard))
	dst = append(append(dst, v...), 0)
	dst = append(append(dst, id...), 0)
	return binary.BigEndian.AppendUint64(dst, uint64(seq))
}

// splitKey returns the length of the part of a key that Bloom filters are of.
func splitKey(key []byte) int {
	if len(key) < 3 || key[0] != 'e' {
		return len(key)
	}
	visitor := bytes.IndexByte(key[3:], 0)
	if visitor < 0 {
		return len(key)
	}
	id := bytes.IndexByte(key[3+visitor+1:], 0)
	if id < 0 {
		return len(key)
	}
	return 3 + visitor + 1 + id + 1
}

// cutEventKey takes an event's key apart; the slices are parts of it.
func cutEventKey(key []byte) (visitor, id []byte, seq store.Seq, err error) {
	end := splitKey(key)
	if len(key) != end+8 {
		return nil, nil, 0, fmt.Errorf("key of an event: %w", event.ErrCorrupt)
	}
	visitor, id, _ = bytes.Cut(key[3:end-1], []byte{0})
	return visitor, id, store.Seq(binary.BigEndian.Uint64(key[end:])), nil
}

func featureKey(shard int, v event.Visitor) []byte {
	return append(shardKey('f', shard), v...)
}

func linkKey(l event.Link) []byte {
	key := append([]byte{'o'}, l.AnonymousID...)
	key = append(key, 0)
	key = appendSigned(key, l.OccurredAt.UnixMicro())
	key = append(append(key, l.EventID...), 0)
	return append(key, l.UserID...)
}

// decodeLink reads what linkKey wrote.
func decodeLink(key []byte) (event.Link, error) {
	anonymous, rest, found := bytes.Cut(key[min(1, len(key)):], []byte{0})
	if !found || len(rest) < 8 {
		return event.Link{}, fmt.Errorf("key of a link: %w", event.ErrCorrupt)
	}
	id, user, found := bytes.Cut(rest[8:], []byte{0})
	if !found {
		return event.Link{}, fmt.Errorf("key of a link: %w", event.ErrCorrupt)
	}
	return event.Link{
		AnonymousID: string(anonymous),
		OccurredAt:  time.UnixMicro(signed(rest)).UTC(),
		EventID:     string(id),
		UserID:      string(user),
	}, nil
}

// appendSigned appends a number so that those below 0, as times before 1970 are, sort first.
func appendSigned(dst []byte, n int64) []byte {
	return binary.BigEndian.AppendUint64(dst, uint64(n)^1<<63)
}

// signed reads what appendSigned wrote.
func signed(key []byte) int64 { return int64(binary.BigEndian.Uint64(key) ^ 1<<63) }

func userLinkKey(userID, anonymousID string) []byte {
	return append(append(idKey('u', userID), 0), anonymousID...)
}

func segmentKey(kind byte, segment uint32) []byte {
	return binary.BigEndian.AppendUint32([]byte{kind}, segment)
}

func segmentShardKey(kind byte, segment uint32, shard int) []byte {
	return binary.BigEndian.AppendUint16(segmentKey(kind, segment), uint16(shard))
}

// cutMemberKey takes the key of a segment's member apart.
func cutMemberKey(key []byte) (store.Place, error) {
	const shard, user = 5, 7
	if len(key) < user {
		return store.Place{}, fmt.Errorf("key of a member: %w", event.ErrCorrupt)
	}
	return store.Place{Shard: int(binary.BigEndian.Uint16(key[shard:])), UserID: string(key[user:])}, nil
}

func timerKey(shard int, at time.Time, userID string) []byte {
	return append(appendSigned(shardKey('d', shard), at.UnixMilli()), userID...)
}

// decodeTimer reads what timerKey wrote.
func decodeTimer(key []byte) (store.Timer, error) {
	const at, user = 3, 11
	if len(key) < user {
		return store.Timer{}, fmt.Errorf("key of a timer: %w", event.ErrCorrupt)
	}
	return store.Timer{At: time.UnixMilli(signed(key[at:])).UTC(), UserID: string(key[user:])}, nil
}

func idKey(kind byte, id string) []byte { return append([]byte{kind}, id...) }

// decodeNumber reads a number that is a whole value.
func decodeNumber(value []byte) (uint64, error) {
	if len(value) != 8 {
		return 0, fmt.Errorf("number of %d bytes: %w", len(value), event.ErrCorrupt)
	}
	return binary.BigEndian.Uint64(value), nil
}

// after returns the least key after all keys that begin with prefix.
func after(prefix []byte) []byte {
	next := append([]byte{}, prefix...)
	for i := len(next) - 1; i >= 0; i-- {
		if next[i] < math.MaxUint8 {
			next[i]++
			return next[:i+1]
		}
	}
	return nil
}
