package scylla

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/store"
)

const (
	// segmentRows is the number of rows of one partition of the log.
	segmentRows = 128
	// logPage is the number of rows that are read at once.
	logPage = 16
	// catalogStream is the stream of the catalog's changes, the first of all. Behind it are the
	// shards' own, by their numbers, and then those of their transitions.
	catalogStream = -1
)

// The kinds of marks.
const (
	projectedMark = "projected" // of a shard, of its transitions, and of the catalog's changes
	trimmedMark   = "trimmed"   // the rows up to it are deleted
	fenceMark     = "fence"     // a row that is to be read
)

// streams is the number of streams of a keyspace with so many shards.
func streams(shards int) int { return 1 + 2*shards }

// markOf is the greatest mark that was seen of a stream.
func (s *Store) markOf(stream int) *atomic.Uint64 { return &s.marks[stream+1] }

func segmentOf(seq store.Seq) int64 { return int64(seq / segmentRows) }

// transitionStream is the stream of a shard's transitions.
func (s *Store) transitionStream(shard int) int { return s.format.Shards + shard }

// Shards implements store.Log.
func (s *Store) Shards() int { return s.format.Shards }

// knownOf is the greatest number that is known to be taken in a stream.
func (s *Store) knownOf(stream int) *atomic.Uint64 { return &s.known[stream+1] }

// raise moves a number up.
func raise(n *atomic.Uint64, to store.Seq) {
	for {
		old := n.Load()
		if uint64(to) <= old || n.CompareAndSwap(old, uint64(to)) {
			return
		}
	}
}

// Head implements store.Log.
func (s *Store) Head(ctx context.Context, shard int) (store.Seq, error) {
	head, err := s.beginning(ctx, shard)
	if err != nil {
		return 0, err
	}
	for {
		segment := segmentOf(head + 1)
		var last int64
		err := s.one(ctx, []any{&last}, `SELECT seq FROM log WHERE stream = ? AND segment = ? ORDER BY seq DESC LIMIT 1`, shard, segment)
		if err != nil && !errors.Is(err, event.ErrNotFound) {
			return 0, fmt.Errorf("head: %w", err)
		}
		if err != nil || store.Seq(last) <= head {
			raise(s.knownOf(shard), head)
			return head, nil
		}
		head = store.Seq(last)
	}
}

// beginning returns a number up to which every one is known to be taken.
func (s *Store) beginning(ctx context.Context, shard int) (store.Seq, error) {
	if known := s.knownOf(shard).Load(); known > 0 {
		return store.Seq(known), nil
	}
	mark, err := s.Mark(ctx, shard)
	if err != nil {
		return 0, err
	}
	trimmed, err := s.mark(ctx, trimmedMark, shard)
	return max(mark, trimmed), err
}

// Append implements store.Log: one lightweight transaction.
func (s *Store) Append(ctx context.Context, shard int, seq store.Seq, row []byte) error {
	if seq != store.Seq(s.knownOf(shard).Load())+1 {
		head, err := s.Head(ctx, shard)
		if err != nil {
			return err
		}
		if seq != head+1 {
			return store.ErrTaken
		}
	}
	return s.append(ctx, shard, seq, row, `INSERT INTO log (stream, segment, seq, row) VALUES (?, ?, ?, ?) IF NOT EXISTS`)
}

func (s *Store) append(ctx context.Context, stream int, seq store.Seq, row []byte, insert string, more ...any) error {
	if row == nil {
		row = []byte{}
	}
	applied, there, err := s.decide(ctx, insert, append([]any{stream, segmentOf(seq), int64(seq), row}, more...)...)
	if err != nil {
		return fmt.Errorf("append: %w", err)
	}
	raise(s.knownOf(stream), seq)
	if !applied {
		// A try whose answer was lost may have been ours; rows differ by their nonce.
		if found, _ := there["row"].([]byte); !bytes.Equal(found, row) || len(row) == 0 {
			return store.ErrTaken
		}
	}
	return nil
}

type logRow struct {
	seq int64
	row []byte
}

func (r *logRow) size() int { return len(r.row) }

// ReadLog implements store.Log.
func (s *Store) ReadLog(ctx context.Context, shard int, from store.Seq, fn func(store.Seq, []byte) error) error {
	next := from
	for {
		segment, began := segmentOf(next), next
		err := read(ctx, s, logPage, func(r *logRow) []any { return []any{&r.seq, &r.row} }, func(r *logRow) error {
			if store.Seq(r.seq) != next {
				return errHole
			}
			if err := fn(next, r.row); err != nil {
				return err
			}
			raise(s.knownOf(shard), next)
			next++
			return nil
		}, `SELECT seq, row FROM log WHERE stream = ? AND segment = ? AND seq >= ?`, shard, segment, int64(next))
		if errors.Is(err, errHole) {
			return nil
		}
		if err != nil {
			return err
		}
		// Behind a segment that was read to its end comes the next one.
		if next == began || segmentOf(next) == segment {
			return ctx.Err()
		}
	}
}

// errHole ends a read at a missing number.
var errHole = errors.New("a number is missing")

// Mark implements store.Log.
func (s *Store) Mark(ctx context.Context, shard int) (store.Seq, error) {
	mark, err := s.mark(ctx, projectedMark, shard)
	if err == nil {
		raise(s.markOf(shard), mark)
		raise(s.knownOf(shard), mark)
	}
	return mark, err
}

func (s *Store) mark(ctx context.Context, kind string, stream int) (store.Seq, error) {
	var mark int64
	err := s.one(ctx, []any{&mark}, `SELECT mark FROM marks WHERE kind = ? AND stream = ?`, kind, stream)
	if errors.Is(err, event.ErrNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("mark: %w", err)
	}
	return store.Seq(mark), nil
}

// SetMark implements store.Log.
func (s *Store) SetMark(ctx context.Context, shard int, mark store.Seq) error {
	if store.Seq(s.markOf(shard).Load()) >= mark {
		return ctx.Err()
	}
	if err := s.setMark(ctx, projectedMark, shard, mark); err != nil {
		return err
	}
	raise(s.markOf(shard), mark)
	return nil
}

// setMark writes a mark with itself as the timestamp, so that the greatest stays.
func (s *Store) setMark(ctx context.Context, kind string, stream int, mark store.Seq) error {
	err := s.exec(ctx, `INSERT INTO marks (kind, stream, mark) VALUES (?, ?, ?) USING TIMESTAMP ?`, kind, stream, int64(mark), int64(mark))
	if err != nil {
		return fmt.Errorf("mark: %w", err)
	}
	return nil
}

// Fence implements store.Log.
func (s *Store) Fence(ctx context.Context, shard int) (store.Seq, error) {
	return s.mark(ctx, fenceMark, shard)
}

// SetFence implements store.Log.
func (s *Store) SetFence(ctx context.Context, shard int, row store.Seq) error {
	return s.setMark(ctx, fenceMark, shard, row)
}

// TrimLog implements store.Log: whole segments are deleted as partitions.
func (s *Store) TrimLog(ctx context.Context, shard int, before store.Seq) error {
	head, err := s.Head(ctx, shard)
	if err != nil {
		return err
	}
	trimmed, err := s.mark(ctx, trimmedMark, shard)
	if err != nil {
		return err
	}
	if before = min(before, head); before <= trimmed+1 {
		return ctx.Err()
	}
	// First the mark, so that the head is found whatever is deleted.
	if err := s.setMark(ctx, trimmedMark, shard, before-1); err != nil {
		return err
	}
	for segment := segmentOf(trimmed + 1); segment < segmentOf(before); segment++ {
		if err := s.exec(ctx, `DELETE FROM log WHERE stream = ? AND segment = ?`, shard, segment); err != nil {
			return fmt.Errorf("trim: %w", err)
		}
	}
	err = s.exec(ctx, `DELETE FROM log WHERE stream = ? AND segment = ? AND seq < ?`, shard, segmentOf(before), int64(before))
	if err != nil {
		return fmt.Errorf("trim: %w", err)
	}
	return nil
}
