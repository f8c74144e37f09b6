package membership

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/store"
)

// Change says that a user entered or left a segment.
type Change struct {
	UserID  string
	Entered bool
	// At is when that was published.
	At time.Time
}

// Reader reads what is published, by this process or another. Its methods may be called
// concurrently.
type Reader struct {
	store Store
	// pollEvery is the time between two looks for new transitions.
	pollEvery time.Duration
}

// NewReader returns a Reader.
func NewReader(s Store) *Reader {
	r := &Reader{store: s, pollEvery: 50 * time.Millisecond}
	if s.Shared() {
		r.pollEvery = 500 * time.Millisecond
	}
	return r
}

// errEnough ends a read that has what it wants.
var errEnough = errors.New("enough")

// Size returns the number of a segment's members.
func (r *Reader) Size(ctx context.Context, number uint32) (int64, error) {
	sizes, err := r.store.SegmentSizes(ctx, number)
	if err != nil {
		return 0, fmt.Errorf("size of a segment: %w", err)
	}
	sum := int64(0)
	for _, size := range sizes {
		sum += size
	}
	return sum, nil
}

// Page returns the places of up to limit members of a segment after a place, in the order of shards and users.
func (r *Reader) Page(ctx context.Context, number uint32, after store.Place, limit int) ([]store.Place, error) {
	var page []store.Place
	err := r.store.ReadSegment(ctx, number, after, func(at store.Place) error {
		if page = append(page, at); len(page) >= limit {
			return errEnough
		}
		return nil
	})
	if err != nil && !errors.Is(err, errEnough) {
		return nil, fmt.Errorf("members: %w", err)
	}
	return page, nil
}

// Each calls fn for every member of a segment, in the order of shards and users. Who enters or leaves
// meanwhile may be among them or not.
func (r *Reader) Each(ctx context.Context, number uint32, fn func(userID string) error) error {
	return r.store.ReadSegment(ctx, number, store.Place{}, func(at store.Place) error { return fn(at.UserID) })
}

// Shards is the number of shards that cursors are of.
func (r *Reader) Shards() int { return r.store.Shards() }

// Now returns the cursor of all that is found by segment already.
func (r *Reader) Now(ctx context.Context) (Cursor, error) {
	c := Cursor{}
	for shard := range r.store.Shards() {
		mark, err := r.store.Transitions().Mark(ctx, shard)
		if err != nil {
			return nil, fmt.Errorf("transitions: %w", err)
		}
		c[shard] = mark
	}
	return c, nil
}

// Check returns event.ErrNotFound where a cursor is ahead of what is published: it is of another store, or of
// before this one was put back to an older state. What would come once the rows reach it is not what comes next.
func (r *Reader) Check(ctx context.Context, c Cursor) error {
	for shard, seq := range c {
		head, err := r.Head(ctx, shard)
		if err != nil {
			return err
		}
		if seq > head {
			return fmt.Errorf("the cursor is ahead of what is published: %w", event.ErrNotFound)
		}
	}
	return nil
}

// Beginning returns the cursor before the first transition of a segment that was defined at a
// time, or event.ErrNotFound where it is not kept any more.
func (r *Reader) Beginning(ctx context.Context, defined time.Time) (Cursor, error) {
	c := Cursor{}
	for shard := range r.store.Shards() {
		first, err := r.store.Transitions().First(ctx, shard)
		if err != nil {
			return nil, fmt.Errorf("transitions: %w", err)
		}
		c[shard] = max(first, 1) - 1
		if first <= 1 {
			continue
		}
		err = r.store.Transitions().Read(ctx, shard, first, func(_ store.Seq, row []byte) error {
			at, _, err := decodeRow(row)
			switch {
			case err != nil:
				return err
			case at.IsZero():
				return nil
			case at.After(defined):
				return fmt.Errorf("transitions from the beginning: %w", event.ErrNotFound)
			}
			return errEnough
		})
		if err != nil && !errors.Is(err, errEnough) {
			return nil, err
		}
	}
	return c, nil
}

// Snapshot calls fn for every user who was a member at the cursor that it returns, once. It holds the
// ids of all members in memory before.
func (r *Reader) Snapshot(ctx context.Context, number uint32, fn func(userID string) error) (Cursor, error) {
	from, err := r.Now(ctx)
	if err != nil {
		return nil, err
	}
	var read []string
	if err := r.Each(ctx, number, func(userID string) error { read = append(read, userID); return nil }); err != nil {
		return nil, err
	}
	// What was read is of different moments: who moved meanwhile is where the last transition says.
	moved := map[string]bool{}
	cursor, err := r.catchUp(ctx, number, from, func(changes []Change, _ Cursor) error {
		for _, c := range changes {
			moved[c.UserID] = c.Entered
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for _, userID := range read {
		if _, known := moved[userID]; !known {
			if err := fn(userID); err != nil {
				return nil, err
			}
		}
	}
	for _, userID := range slices.Sorted(maps.Keys(moved)) {
		if moved[userID] {
			if err := fn(userID); err != nil {
				return nil, err
			}
		}
	}
	return cursor, nil
}

// catchUp calls fn for each row with changes of a segment after a cursor, with the cursor after
// that row, as many as there are now, and returns the cursor after them. Where the next row is
// not kept any more it returns event.ErrNotFound. fn must not keep or change the cursor.
func (r *Reader) catchUp(ctx context.Context, number uint32, after Cursor, fn func([]Change, Cursor) error) (Cursor, error) {
	reached := maps.Clone(after)
	if reached == nil {
		reached = Cursor{}
	}
	for shard := range r.store.Shards() {
		if err := r.catchUpShard(ctx, number, shard, reached, fn); err != nil {
			return nil, err
		}
	}
	return reached, nil
}

func (r *Reader) catchUpShard(ctx context.Context, number uint32, shard int, reached Cursor, fn func([]Change, Cursor) error) error {
	head, err := r.Head(ctx, shard)
	if err != nil {
		return err
	}
	next := reached[shard] + 1
	if head < next {
		return nil
	}
	err = r.store.Transitions().Read(ctx, shard, next, func(seq store.Seq, row []byte) error {
		at, all, err := decodeRow(row)
		if err != nil {
			return fmt.Errorf("row %d of shard %d: %w", seq, shard, err)
		}
		var changes []Change
		for i := range all {
			_, entered := slices.BinarySearch(all[i].entered, number)
			if _, left := slices.BinarySearch(all[i].left, number); entered || left {
				changes = append(changes, Change{UserID: all[i].userID, Entered: entered, At: at})
			}
		}
		reached[shard] = seq
		if len(changes) == 0 {
			return ctx.Err()
		}
		return fn(changes, reached)
	})
	if err != nil {
		return err
	}
	if reached[shard] < next {
		return fmt.Errorf("transitions after the cursor: %w", event.ErrNotFound)
	}
	return nil
}

// Watch calls fn for each row with changes of a segment after a cursor, in the order of each
// shard, with the cursor after that row, until ctx ends, whose error it returns. Where rows had
// nothing of the segment, fn is called without changes and with the cursor after them, now and then.
// fn must not keep or change the cursor.
func (r *Reader) Watch(ctx context.Context, number uint32, after Cursor, fn func([]Change, Cursor) error) error {
	ticker := time.NewTicker(r.pollEvery)
	defer ticker.Stop()
	told, toldAt := after, time.Now()
	for {
		reached, err := r.catchUp(ctx, number, after, func(changes []Change, cursor Cursor) error {
			told, toldAt = nil, time.Now()
			return fn(changes, cursor)
		})
		if err != nil {
			return err
		}
		if after = reached; !maps.Equal(after, told) && time.Since(toldAt) >= tellEvery {
			if err := fn(nil, after); err != nil {
				return err
			}
			told, toldAt = after, time.Now()
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		}
	}
}

// tellEvery is the time between two cursors of a watch without changes.
const tellEvery = 5 * time.Second
