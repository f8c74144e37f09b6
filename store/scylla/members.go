package scylla

import (
	"context"
	"fmt"
	"slices"

	"github.com/cespare/xxhash/v2"
	"golang.org/x/sync/errgroup"

	"github.com/attune-shop/attune/store"
)

const (
	// publishedBuckets is the number of partitions that a shard's users are spread over.
	publishedBuckets = 16
	memberPage       = 1000
	// dropsAtOnce is how many partitions of a segment are deleted at once.
	dropsAtOnce = 32
)

func publishedBucket(userID string) int {
	return int(xxhash.Sum64String(userID) % publishedBuckets)
}

// transitions implements store.Stream: they are streams of the log.
type transitions struct{ *Store }

// Transitions implements store.Memberships.
func (s *Store) Transitions() store.Stream { return transitions{s} }

func (t transitions) Head(ctx context.Context, shard int) (store.Seq, error) {
	return t.Store.Head(ctx, t.transitionStream(shard))
}

func (t transitions) Append(ctx context.Context, shard int, seq store.Seq, row []byte) error {
	return t.Store.Append(ctx, t.transitionStream(shard), seq, row)
}

func (t transitions) Read(ctx context.Context, shard int, from store.Seq, fn func(store.Seq, []byte) error) error {
	return t.ReadLog(ctx, t.transitionStream(shard), from, fn)
}

func (t transitions) Mark(ctx context.Context, shard int) (store.Seq, error) {
	return t.Store.Mark(ctx, t.transitionStream(shard))
}

func (t transitions) SetMark(ctx context.Context, shard int, mark store.Seq) error {
	return t.Store.SetMark(ctx, t.transitionStream(shard), mark)
}

func (t transitions) Trim(ctx context.Context, shard int, before store.Seq) error {
	return t.TrimLog(ctx, t.transitionStream(shard), before)
}

// First: what is trimmed is noted before it is deleted.
func (t transitions) First(ctx context.Context, shard int) (store.Seq, error) {
	trimmed, err := t.mark(ctx, trimmedMark, t.transitionStream(shard))
	return trimmed + 1, err
}

// PutMembers implements store.Memberships. Each row is written, or deleted, with the stamp as the
// timestamp. Users come last, so that what Members returns is found by segment, too, and who
// goes on from there writes what is left.
func (s *Store) PutMembers(ctx context.Context, shard int, stamp uint64, changes []store.MemberChange, sizes map[uint32]int64) error {
	if err := store.CheckMembers(stamp, changes); err != nil {
		return err
	}
	at := int64(stamp)
	var bySegment batches[uint32]
	var byUser batches[int]
	for i := range changes {
		now := &changes[i].Now
		entered, left := changes[i].Moves()
		for _, n := range left {
			bySegment.add(n, len(now.UserID), `DELETE FROM members USING TIMESTAMP ? WHERE segment = ? AND shard = ? AND user_id = ?`,
				at, int64(n), shard, now.UserID)
		}
		for _, n := range entered {
			bySegment.add(n, len(now.UserID), `INSERT INTO members (segment, shard, user_id) VALUES (?, ?, ?) USING TIMESTAMP ?`,
				int64(n), shard, now.UserID, at)
		}
		bucket := publishedBucket(now.UserID)
		if now.Nothing() {
			byUser.add(bucket, len(now.UserID), `DELETE FROM published USING TIMESTAMP ? WHERE shard = ? AND bucket = ? AND user_id = ?`,
				at, shard, bucket, now.UserID)
			continue
		}
		data := now.Append(nil)
		byUser.add(bucket, len(now.UserID)+len(data), `INSERT INTO published (shard, bucket, user_id, data) VALUES (?, ?, ?, ?) USING TIMESTAMP ?`,
			shard, bucket, now.UserID, data, at)
	}
	writing, inner := errgroup.WithContext(ctx)
	writing.Go(func() error { return bySegment.write(inner, s) })
	for n, size := range sizes {
		writing.Go(func() error {
			return s.exec(inner, `INSERT INTO sizes (segment, shard, size) VALUES (?, ?, ?) USING TIMESTAMP ?`, int64(n), shard, size, at)
		})
	}
	err := writing.Wait()
	if err == nil {
		err = byUser.write(ctx, s)
	}
	if err != nil {
		return fmt.Errorf("put members: %w", err)
	}
	return nil
}

// publishedRow is what is stored of a user.
type publishedRow struct {
	userID string
	data   []byte
}

// size implements sized.
func (r *publishedRow) size() int { return len(r.userID) + len(r.data) }

// Members implements store.Memberships: a look-up of up to 100 users a partition.
func (s *Store) Members(ctx context.Context, shard int, userIDs []string) ([]store.Member, error) {
	places := map[int][]int{}
	members := make([]store.Member, len(userIDs))
	for i, id := range userIDs {
		members[i].UserID = id
		bucket := publishedBucket(id)
		places[bucket] = append(places[bucket], i)
	}
	looking, inner := errgroup.WithContext(ctx)
	for bucket, all := range places {
		for some := range slices.Chunk(all, idsAtOnce) {
			looking.Go(func() error {
				found, err := s.published(inner, shard, bucket, userIDs, some)
				for _, place := range some {
					if m, there := found[userIDs[place]]; there {
						members[place] = m
					}
				}
				return err
			})
		}
	}
	if err := looking.Wait(); err != nil {
		return nil, fmt.Errorf("members: %w", err)
	}
	return members, ctx.Err()
}

// published looks some of the users up in the bucket that they are in.
func (s *Store) published(ctx context.Context, shard, bucket int, userIDs []string, some []int) (map[string]store.Member, error) {
	ids := make([]string, len(some))
	for i, place := range some {
		ids[i] = userIDs[place]
	}
	found := make(map[string]store.Member, len(some))
	err := read(ctx, s, idsAtOnce, func(r *publishedRow) []any { return []any{&r.userID, &r.data} }, func(r *publishedRow) (err error) {
		found[r.userID], err = store.DecodeMember(r.userID, r.data)
		return err
	}, `SELECT user_id, data FROM published WHERE shard = ? AND bucket = ? AND user_id IN ?`, shard, bucket, ids)
	return found, err
}

// ReadSegment implements store.Memberships: shard by shard.
func (s *Store) ReadSegment(ctx context.Context, segment uint32, after store.Place, fn func(store.Place) error) error {
	for ; after.Shard < s.format.Shards; after = (store.Place{Shard: after.Shard + 1}) {
		err := read(ctx, s, memberPage, func(id *string) []any { return []any{id} },
			func(id *string) error { return fn(store.Place{Shard: after.Shard, UserID: *id}) },
			`SELECT user_id FROM members WHERE segment = ? AND shard = ? AND user_id > ?`, int64(segment), after.Shard, after.UserID)
		if err != nil {
			return err
		}
	}
	return ctx.Err()
}

type sizeRow struct {
	shard int
	size  int64
}

// SegmentSizes implements store.Memberships.
func (s *Store) SegmentSizes(ctx context.Context, segment uint32) (map[int]int64, error) {
	sizes := map[int]int64{}
	err := read(ctx, s, memberPage, func(r *sizeRow) []any { return []any{&r.shard, &r.size} },
		func(r *sizeRow) error { sizes[r.shard] = r.size; return nil },
		`SELECT shard, size FROM sizes WHERE segment = ?`, int64(segment))
	if err != nil {
		return nil, fmt.Errorf("sizes of segment %d: %w", segment, err)
	}
	return sizes, nil
}

// DropSegment implements store.Memberships: whole partitions are deleted, with a timestamp that
// no stamp reaches.
func (s *Store) DropSegment(ctx context.Context, segment uint32) error {
	const at = int64(store.MaxStamp + 1)
	dropping, inner := errgroup.WithContext(ctx)
	dropping.SetLimit(dropsAtOnce)
	for shard := range s.format.Shards {
		dropping.Go(func() error {
			return s.exec(inner, `DELETE FROM members USING TIMESTAMP ? WHERE segment = ? AND shard = ?`, at, int64(segment), shard)
		})
	}
	dropping.Go(func() error {
		return s.exec(inner, `DELETE FROM sizes USING TIMESTAMP ? WHERE segment = ?`, at, int64(segment))
	})
	if err := dropping.Wait(); err != nil {
		return fmt.Errorf("drop segment %d: %w", segment, err)
	}
	return nil
}
