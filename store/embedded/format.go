package embedded

import (
	"encoding/binary"
	"math"
	"time"

	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/store"
)

// The folder holds the database in db/ and model payloads in models/VERSION.model.
//
// The first byte of a key says what it is. Numbers are big-endian, so that keys sort by
// them; ids hold no control character (event.Validate), so that \x00 ends one.
//
//	F                                      format version (1 byte), number of shards (4)
//	l shard(2) seq(8)                      log row
//	m shard(2)                             mark (8)
//	e shard(2) visitor \0 event \0 seq(8)  event
//	f shard(2) visitor                     features
//	o anonymous \0 time(8) event \0 user   link, the least first
//	u user \0 anonymous                    link seen from the user
//	i item                                 item
//	r number(8)                            dead letter
//	v version                              model, as JSON
//	a                                      version of the active model
//	c name                                 checkpoint
const formatVersion = 1

const (
	databaseFolder = "db"
	modelsFolder   = "models"
)

var (
	formatKey = []byte("F")
	activeKey = []byte("a")
)

func shardKey(kind byte, shard int) []byte {
	return binary.BigEndian.AppendUint16([]byte{kind}, uint16(shard))
}

func rowKey(shard int, seq store.Seq) []byte {
	return binary.BigEndian.AppendUint64(shardKey('l', shard), uint64(seq))
}

func appendEventKey(dst []byte, shard int, v event.Visitor, id string, seq store.Seq) []byte {
	dst = binary.BigEndian.AppendUint16(append(dst, 'e'), uint16(shard))
	dst = append(append(dst, v...), 0)
	dst = append(append(dst, id...), 0)
	return binary.BigEndian.AppendUint64(dst, uint64(seq))
}

func featureKey(shard int, v event.Visitor) []byte {
	return append(shardKey('f', shard), v...)
}

func linkKey(l event.Link) []byte {
	key := append([]byte{'o'}, l.AnonymousID...)
	key = append(key, 0)
	// Flipping the sign bit sorts times before 1970 first.
	key = binary.BigEndian.AppendUint64(key, uint64(l.OccurredAt.UnixMicro())^1<<63)
	key = append(append(key, l.EventID...), 0)
	return append(key, l.UserID...)
}

func idKey(kind byte, id string) []byte { return append([]byte{kind}, id...) }

func letterKey(number uint64) []byte { return binary.BigEndian.AppendUint64([]byte{'r'}, number) }

func unixMicro(t int64) time.Time { return time.UnixMicro(t).UTC() }

// after returns the least key behind all keys that begin with prefix.
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
