package recommend

import (
	"encoding/binary"
	"fmt"
	"maps"
	"slices"

	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/model/trend"
	"github.com/attune-shop/attune/store"
	"github.com/attune-shop/attune/store/history"
)

// The form of a checkpoint: a version byte; the number of shards; each shard and its last
// row, as varints, in the order of shards; the counters (trend.Counters.Append).
const (
	checkpointVersion = 1
	maxShards         = 1 << 16
)

func appendCheckpoint(dst []byte, counters *trend.Counters, cursor history.Cursor) []byte {
	dst = append(dst, checkpointVersion)
	dst = binary.AppendUvarint(dst, uint64(len(cursor)))
	for _, shard := range slices.Sorted(maps.Keys(cursor)) {
		dst = binary.AppendUvarint(dst, uint64(shard))
		dst = binary.AppendUvarint(dst, uint64(cursor[shard]))
	}
	return counters.Append(dst)
}

// decodeCheckpoint reads what appendCheckpoint wrote. Its errors wrap event.ErrCorrupt or
// event.ErrNewerVersion.
func decodeCheckpoint(data []byte) (*trend.Counters, history.Cursor, error) {
	if len(data) == 0 || data[0] == 0 {
		return nil, nil, fmt.Errorf("checkpoint: %w", event.ErrCorrupt)
	}
	if data[0] > checkpointVersion {
		return nil, nil, fmt.Errorf("checkpoint of version %d: %w", data[0], event.ErrNewerVersion)
	}
	data = data[1:]
	next := func() (uint64, bool) {
		v, n := binary.Uvarint(data)
		if n <= 0 {
			return 0, false
		}
		data = data[n:]
		return v, true
	}
	shards, ok := next()
	if !ok || shards > maxShards {
		return nil, nil, fmt.Errorf("checkpoint: %w", event.ErrCorrupt)
	}
	cursor := history.Cursor{}
	for range shards {
		shard, ok := next()
		seq, ok2 := next()
		if !ok || !ok2 || shard >= maxShards {
			return nil, nil, fmt.Errorf("checkpoint: %w", event.ErrCorrupt)
		}
		cursor[int(shard)] = store.Seq(seq)
	}
	counters, err := trend.Decode(data)
	return counters, cursor, err
}
