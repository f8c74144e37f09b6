package scylla

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/cespare/xxhash/v2"
	"golang.org/x/sync/errgroup"

	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/store"
)

// The catalog's changes are a stream of the log, whose numbers are the revisions. The items
// are its projection: each is written with its revision as the timestamp, so that a change
// that is projected twice, or late, changes nothing. Rows of the stream expire; the mark
// of what is projected tells of those that did.
const (
	// buckets is the number of partitions that the items are spread over.
	buckets = 256
	// changesKept is how long the stream's rows are kept: much longer than any process
	// that follows the catalog goes without looking.
	changesKept = 7 * 24 * time.Hour
	// maxChangeRow bounds the bytes of a row that has more than one item.
	maxChangeRow = 512 << 10
	itemPage     = 500
	// bucketReaders is how many buckets are read at once.
	bucketReaders = 16
)

func bucketOf(id string) int { return int(xxhash.Sum64String(id) % buckets) }

// Items implements store.Catalog.
func (s *Store) Items(ctx context.Context, fn func(event.Item) error) (store.Seq, error) {
	revision, err := s.mark(ctx, projectedMark, catalogStream)
	if err != nil {
		return 0, err
	}
	for from := 0; from < buckets; from += bucketReaders {
		read := make([][]event.Item, bucketReaders)
		reading, readCtx := errgroup.WithContext(ctx)
		for i := range read {
			reading.Go(func() (err error) {
				read[i], err = s.bucket(readCtx, from+i)
				return err
			})
		}
		if err := reading.Wait(); err != nil {
			return 0, fmt.Errorf("items: %w", err)
		}
		for _, items := range read {
			for i := range items {
				if err := fn(items[i]); err != nil {
					return 0, err
				}
			}
		}
	}
	return revision, ctx.Err()
}

func (s *Store) bucket(ctx context.Context, bucket int) (items []event.Item, err error) {
	err = read(ctx, s, itemPage, func(data *[]byte) []any { return []any{data} }, func(data *[]byte) error {
		item, err := event.DecodeItem(*data)
		items = append(items, item)
		return err
	}, `SELECT data FROM items WHERE bucket = ?`, bucket)
	return items, err
}

// ChangeItems implements store.Catalog. A large change makes several revisions.
func (s *Store) ChangeItems(ctx context.Context, newest store.Seq, change store.ItemChange) (store.Seq, error) {
	// The number after an old revision may be free again, when its row has expired.
	projected, err := s.mark(ctx, projectedMark, catalogStream)
	if err != nil {
		return 0, err
	}
	if projected > newest {
		return 0, store.ErrTaken
	}
	const insert = `INSERT INTO log (stream, segment, seq, row) VALUES (?, ?, ?, ?) IF NOT EXISTS USING TTL ?`
	for _, part := range cutChange(change) {
		newest++
		if err := s.append(ctx, catalogStream, newest, encodeChange(part), insert, int(changesKept.Seconds())); err != nil {
			return 0, err
		}
		if err := s.projectChange(ctx, newest, part); err != nil {
			return 0, err
		}
	}
	return newest, nil
}

// projectChange brings a change into the items, and then moves the mark.
func (s *Store) projectChange(ctx context.Context, revision store.Seq, change store.ItemChange) error {
	byBucket := map[int][]statement{}
	for i := range change.Put {
		b := bucketOf(change.Put[i].ID)
		byBucket[b] = append(byBucket[b], statement{`INSERT INTO items (bucket, id, data) VALUES (?, ?, ?) USING TIMESTAMP ?`,
			[]any{b, change.Put[i].ID, change.Put[i].Append(nil), int64(revision)}})
	}
	for _, id := range change.Delete {
		b := bucketOf(id)
		byBucket[b] = append(byBucket[b], statement{`DELETE FROM items USING TIMESTAMP ? WHERE bucket = ? AND id = ?`, []any{int64(revision), b, id}})
	}
	writing, writeCtx := errgroup.WithContext(ctx)
	for _, statements := range byBucket {
		for some := range slices.Chunk(statements, batchRows) {
			writing.Go(func() error { return s.batch(writeCtx, some) })
		}
	}
	if err := writing.Wait(); err != nil {
		return fmt.Errorf("change items: %w", err)
	}
	return s.setMark(ctx, projectedMark, catalogStream, revision)
}

// ItemChanges implements store.Catalog. What nobody has projected, for its writer died, is
// projected here.
func (s *Store) ItemChanges(ctx context.Context, after store.Seq, fn func(store.Seq, store.ItemChange) error) error {
	projected, err := s.mark(ctx, projectedMark, catalogStream)
	if err != nil {
		return err
	}
	last := after
	err = s.ReadLog(ctx, catalogStream, after+1, func(revision store.Seq, row []byte) error {
		change, err := decodeChange(row)
		if err != nil {
			return err
		}
		if revision > projected {
			if err := s.projectChange(ctx, revision, change); err != nil {
				return err
			}
		}
		last = revision
		return fn(revision, change)
	})
	if err == nil && last < projected {
		err = fmt.Errorf("changes after revision %d: %w", last, event.ErrNotFound)
	}
	return err
}

// cutChange parts a change into some that fit into a row each.
func cutChange(change store.ItemChange) []store.ItemChange {
	parts, size := []store.ItemChange{{}}, 0
	add := func(bytes int) *store.ItemChange {
		if size += bytes; size > maxChangeRow && size > bytes {
			parts, size = append(parts, store.ItemChange{}), bytes
		}
		return &parts[len(parts)-1]
	}
	var scratch []byte
	for i := range change.Put {
		scratch = change.Put[i].Append(scratch[:0])
		part := add(len(scratch))
		part.Put = append(part.Put, change.Put[i])
	}
	for _, id := range change.Delete {
		part := add(len(id))
		part.Delete = append(part.Delete, id)
	}
	return parts
}

// A change is stored as: format version, 8 random bytes that tell it from every other, the
// number of items and each with its length before it, the ids to delete likewise.
const changeVersion = 1

func encodeChange(change store.ItemChange) []byte {
	row := make([]byte, 9)
	row[0] = changeVersion
	rand.Read(row[1:])
	row = binary.AppendUvarint(row, uint64(len(change.Put)))
	var scratch []byte
	for i := range change.Put {
		scratch = change.Put[i].Append(scratch[:0])
		row = append(binary.AppendUvarint(row, uint64(len(scratch))), scratch...)
	}
	row = binary.AppendUvarint(row, uint64(len(change.Delete)))
	for _, id := range change.Delete {
		row = append(binary.AppendUvarint(row, uint64(len(id))), id...)
	}
	return row
}

func decodeChange(row []byte) (change store.ItemChange, err error) {
	if len(row) < 9 || row[0] == 0 {
		return change, fmt.Errorf("change of the catalog: %w", event.ErrCorrupt)
	}
	if row[0] > changeVersion {
		return change, fmt.Errorf("change of the catalog of version %d: %w", row[0], event.ErrNewerVersion)
	}
	rest := row[9:]
	number := func() uint64 {
		n, size := binary.Uvarint(rest)
		if size <= 0 || n > uint64(len(rest)-size) {
			err = fmt.Errorf("change of the catalog: %w", event.ErrCorrupt)
			return 0
		}
		rest = rest[size:]
		return n
	}
	each := func(fn func([]byte) error) {
		for count := number(); count > 0 && err == nil; count-- {
			size := number()
			if err == nil {
				err = fn(rest[:size])
				rest = rest[size:]
			}
		}
	}
	each(func(data []byte) error {
		item, err := event.DecodeItem(data)
		change.Put = append(change.Put, item)
		return err
	})
	each(func(id []byte) error {
		change.Delete = append(change.Delete, string(id))
		return nil
	})
	if err == nil && len(rest) > 0 {
		err = errors.Join(event.ErrCorrupt, fmt.Errorf("change of the catalog: %d bytes too many", len(rest)))
	}
	return change, err
}
