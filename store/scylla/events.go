package scylla

import (
	"context"
	"fmt"
	"math"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/store"
)

const (
	// idsAtOnce bounds the event ids of one look-up.
	idsAtOnce = 100
	// idPage is the number of ids that are read at once, and eventPage that of events in the
	// first page of them, of which each may have some hundred KB.
	idPage    = 1000
	eventPage = 100
	// scanRanges is the number of token ranges of a scan, scanReaders how many are read at once.
	scanRanges  = 256
	scanReaders = 4
)

// PutEvents implements store.Events: a batch a visitor, several at the same time.
func (s *Store) PutEvents(ctx context.Context, _ int, records []store.Record) error {
	var writes batches[event.Visitor]
	for _, r := range records {
		data := r.Data
		if data == nil {
			data = []byte{}
		}
		writes.add(r.Visitor, len(data), `INSERT INTO events (visitor, event_id, seq, data) VALUES (?, ?, ?, ?)`, string(r.Visitor), r.EventID, int64(r.Seq), data)
	}
	if err := writes.write(ctx, s); err != nil {
		return fmt.Errorf("put events: %w", err)
	}
	return nil
}

// HasEvents implements store.Events: a look-up of up to 100 ids a visitor.
func (s *Store) HasEvents(ctx context.Context, _ int, keys []store.Record) ([]bool, error) {
	places := map[event.Visitor][]int{}
	for i, k := range keys {
		places[k.Visitor] = append(places[k.Visitor], i)
	}
	there := make([]bool, len(keys))
	looking, inner := errgroup.WithContext(ctx)
	for v, all := range places {
		for some := range slices.Chunk(all, idsAtOnce) {
			looking.Go(func() error {
				ids := make([]string, len(some))
				for i, place := range some {
					ids[i] = keys[place].EventID
				}
				found := map[string]bool{}
				err := read(inner, s, idPage, func(id *string) []any { return []any{id} },
					func(id *string) error { found[*id] = true; return nil },
					`SELECT event_id FROM events WHERE visitor = ? AND event_id IN ?`, string(v), ids)
				for i, place := range some {
					there[place] = found[ids[i]]
				}
				return err
			})
		}
	}
	if err := looking.Wait(); err != nil {
		return nil, fmt.Errorf("has events: %w", err)
	}
	return there, ctx.Err()
}

type eventRow struct {
	visitor, id string
	seq         int64
	data        []byte
}

// size implements sized.
func (r *eventRow) size() int { return len(r.visitor) + len(r.id) + len(r.data) }

func (r *eventRow) record() store.Record {
	return store.Record{Visitor: event.Visitor(r.visitor), EventID: r.id, Seq: store.Seq(r.seq), Data: r.data}
}

// ReadEvents implements store.Events.
func (s *Store) ReadEvents(ctx context.Context, _ int, v event.Visitor, fn func(store.Record) error) error {
	last, began := "", false
	return read(ctx, s, eventPage, func(r *eventRow) []any { return []any{&r.id, &r.seq, &r.data} }, func(r *eventRow) error {
		if began && r.id == last { // a greater number of the same id
			return nil
		}
		last, began = r.id, true
		r.visitor = string(v)
		return fn(r.record())
	}, `SELECT event_id, seq, data FROM events WHERE visitor = ?`, string(v))
}

// ScanEvents implements store.Events: by token range, several at the same time.
func (s *Store) ScanEvents(ctx context.Context, fn func(store.Record) error) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	const width = math.MaxUint64/scanRanges + 1
	ranges := make(chan int64, scanRanges)
	for i := range uint64(scanRanges) {
		ranges <- int64(i*width + 1<<63)
	}
	close(ranges)
	visitors := make(chan []store.Record, scanReaders)
	reading, readCtx := errgroup.WithContext(ctx)
	for range scanReaders {
		reading.Go(func() error {
			pages := &pages{rows: eventPage}
			for from := range ranges {
				if err := s.scanRange(readCtx, pages, from, from+int64(width-1), visitors); err != nil {
					return err
				}
			}
			return nil
		})
	}
	ended := make(chan error, 1)
	go func() {
		ended <- reading.Wait()
		close(visitors)
	}()
	var failed error
	for records := range visitors {
		for i := 0; i < len(records) && failed == nil; i++ {
			if failed = fn(records[i]); failed != nil {
				stop()
			}
		}
	}
	if failed != nil {
		return failed
	}
	if err := <-ended; err != nil {
		return fmt.Errorf("scan events: %w", err)
	}
	return nil
}

// ScanVisitors implements store.Events, by token range.
func (s *Store) ScanVisitors(ctx context.Context, fn func(event.Visitor) error) error {
	const width = math.MaxUint64/scanRanges + 1
	for i := range uint64(scanRanges) {
		from := int64(i*width + 1<<63)
		err := read(ctx, s, idPage, func(v *string) []any { return []any{v} },
			func(v *string) error { return fn(event.Visitor(*v)) },
			`SELECT DISTINCT visitor FROM events WHERE token(visitor) >= ? AND token(visitor) <= ?`, from, from+int64(width-1))
		if err != nil {
			return err
		}
	}
	return nil
}

// scanRange hands on the events of each visitor in a range of tokens.
func (s *Store) scanRange(ctx context.Context, pages *pages, from, to int64, visitors chan<- []store.Record) error {
	var records []store.Record
	handOn := func() error {
		if len(records) == 0 {
			return nil
		}
		select {
		case visitors <- records:
			records = nil
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	err := readPages(ctx, s, pages, func(r *eventRow) []any { return []any{&r.visitor, &r.id, &r.seq, &r.data} }, func(r *eventRow) error {
		if n := len(records); n > 0 && string(records[n-1].Visitor) == r.visitor {
			if records[n-1].EventID == r.id {
				return nil
			}
		} else if err := handOn(); err != nil {
			return err
		}
		records = append(records, r.record())
		return nil
	}, `SELECT visitor, event_id, seq, data FROM events WHERE token(visitor) >= ? AND token(visitor) <= ?`, from, to)
	if err != nil {
		return err
	}
	return handOn()
}
