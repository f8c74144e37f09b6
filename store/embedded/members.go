package embedded

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/store"
)

// transitions implements store.Stream.
type transitions struct{ *Store }

// Transitions implements store.Memberships.
func (s *Store) Transitions() store.Stream { return transitions{s} }

func (t transitions) Head(ctx context.Context, shard int) (store.Seq, error) {
	return t.shards[shard].transitions.last(ctx)
}

func (t transitions) Append(ctx context.Context, shard int, seq store.Seq, row []byte) error {
	return t.shards[shard].transitions.append(ctx, seq, row)
}

func (t transitions) Read(ctx context.Context, shard int, from store.Seq, fn func(store.Seq, []byte) error) error {
	return t.shards[shard].transitions.read(ctx, from, fn)
}

func (t transitions) Mark(ctx context.Context, shard int) (store.Seq, error) {
	return t.shards[shard].transitions.marked(ctx)
}

// SetMark: what the mark stands for is in front of it in the write-ahead log.
func (t transitions) SetMark(ctx context.Context, shard int, mark store.Seq) error {
	return t.shards[shard].transitions.setMark(ctx, mark, func(context.Context) error { return nil })
}

func (t transitions) Trim(ctx context.Context, shard int, before store.Seq) error {
	return t.shards[shard].transitions.trim(ctx, before)
}

func (t transitions) First(ctx context.Context, shard int) (store.Seq, error) {
	return t.shards[shard].transitions.first(ctx)
}

// PutMembers implements store.Memberships: one batch.
func (s *Store) PutMembers(ctx context.Context, shard int, stamp uint64, changes []store.MemberChange, sizes map[uint32]int64) error {
	if err := store.CheckMembers(stamp, changes); err != nil {
		return err
	}
	return s.put(ctx, pebble.NoSync, func(batch *pebble.Batch) error {
		var key, value []byte
		inSegment := func(segment uint32, userID string) []byte {
			key = binary.BigEndian.AppendUint32(append(key[:0], 'b'), segment)
			return append(binary.BigEndian.AppendUint16(key, uint16(shard)), userID...)
		}
		for i := range changes {
			now := &changes[i].Now
			entered, left := changes[i].Moves()
			for _, segment := range left {
				if err := batch.Delete(inSegment(segment, now.UserID), nil); err != nil {
					return err
				}
			}
			for _, segment := range entered {
				if err := batch.Set(inSegment(segment, now.UserID), nil, nil); err != nil {
					return err
				}
			}
			key = append(append(key[:0], shardKey('s', shard)...), now.UserID...)
			if now.Nothing() {
				if err := batch.Delete(key, nil); err != nil {
					return err
				}
				continue
			}
			value = now.Append(value[:0])
			if err := batch.Set(key, value, nil); err != nil {
				return err
			}
		}
		for segment, size := range sizes {
			value = binary.BigEndian.AppendUint64(value[:0], uint64(size))
			if err := batch.Set(segmentShardKey('z', segment, shard), value, nil); err != nil {
				return err
			}
		}
		return nil
	})
}

// Members implements store.Memberships. Who asks for many in their order, as a sweep over all users
// does, has them read one after the other.
func (s *Store) Members(ctx context.Context, shard int, userIDs []string) ([]store.Member, error) {
	if len(userIDs) >= manyMembers && slices.IsSorted(userIDs) {
		return s.membersInOrder(ctx, shard, userIDs)
	}
	members := make([]store.Member, len(userIDs))
	prefix := shardKey('s', shard)
	for i, id := range userIDs {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		members[i].UserID = id
		value, err := s.db.get(append(prefix, id...))
		if errors.Is(err, event.ErrNotFound) {
			continue
		}
		if err == nil {
			members[i], err = store.DecodeMember(id, value)
		}
		if err != nil {
			return nil, fmt.Errorf("segments of %q: %w", id, err)
		}
	}
	return members, ctx.Err()
}

// manyMembers is the number of users from which on an iterator is worth its while.
const manyMembers = 100

func (s *Store) membersInOrder(ctx context.Context, shard int, userIDs []string) ([]store.Member, error) {
	members := make([]store.Member, len(userIDs))
	prefix := shardKey('s', shard)
	it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: prefix, UpperBound: after(prefix)})
	if err != nil {
		return nil, translate(err)
	}
	var key []byte
	there := it.First()
	for i, id := range userIDs {
		members[i].UserID = id
		key = append(append(key[:0], prefix...), id...)
		if there && bytes.Compare(it.Key(), key) < 0 {
			there = it.SeekGE(key)
		}
		if !there || !bytes.Equal(it.Key(), key) {
			continue
		}
		value, err := s.db.readable(it.ValueAndErr)
		if err == nil {
			members[i], err = store.DecodeMember(id, value)
		}
		if err != nil {
			return nil, errors.Join(fmt.Errorf("segments of %q: %w", id, err), translate(it.Close()))
		}
	}
	return members, errors.Join(translate(it.Close()), ctx.Err())
}

// ReadSegment implements store.Memberships.
func (s *Store) ReadSegment(ctx context.Context, segment uint32, from store.Place, fn func(store.Place) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	lower := append(append(segmentShardKey('b', segment, from.Shard), from.UserID...), 0)
	return s.db.scan(lower, after(segmentKey('b', segment)), func(key, _ []byte) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		place, err := cutMemberKey(key)
		if err != nil {
			return err
		}
		return fn(place)
	})
}

// SegmentSizes implements store.Memberships.
func (s *Store) SegmentSizes(ctx context.Context, segment uint32) (map[int]int64, error) {
	sizes, prefix := map[int]int64{}, segmentKey('z', segment)
	err := s.db.scan(prefix, after(prefix), func(key, value []byte) error {
		size, err := decodeNumber(value)
		if err != nil || len(key) != len(prefix)+2 {
			return errors.Join(fmt.Errorf("size of segment %d: %w", segment, event.ErrCorrupt), err)
		}
		sizes[int(binary.BigEndian.Uint16(key[len(prefix):]))] = int64(size)
		return nil
	})
	if err = errors.Join(err, ctx.Err()); err != nil {
		return nil, err
	}
	return sizes, nil
}

// DropSegment implements store.Memberships.
func (s *Store) DropSegment(ctx context.Context, segment uint32) error {
	return s.put(ctx, pebble.NoSync, func(batch *pebble.Batch) error {
		for _, kind := range []byte{'b', 'z'} {
			prefix := segmentKey(kind, segment)
			if err := batch.DeleteRange(prefix, after(prefix), nil); err != nil {
				return err
			}
		}
		return nil
	})
}
