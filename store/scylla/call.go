package scylla

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/gocql/gocql"
	"golang.org/x/sync/errgroup"

	"github.com/attune-shop/attune/model/event"
)

// call runs one request, with its tries, within bounds: of the requests under way, of time,
// and of patience with servers that do not answer.
func (s *Store) call(ctx context.Context, request func(ctx context.Context) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return s.breaker.Do(ctx, func(ctx context.Context) error {
		if err := s.inFlight.Acquire(ctx, 1); err != nil {
			if errors.Is(err, context.DeadlineExceeded) {
				err = fmt.Errorf("scylla: %d requests are under way: %w", s.options.InFlight, event.ErrExhausted)
			}
			return err
		}
		defer s.inFlight.Release(1)
		return translate(request(ctx))
	})
}

// exec runs a statement that returns no rows.
func (s *Store) exec(ctx context.Context, statement string, args ...any) error {
	return s.call(ctx, func(ctx context.Context) error {
		return s.session.Query(statement, args...).WithContext(ctx).Exec()
	})
}

// one reads the one row of a statement into dest: event.ErrNotFound where there is none.
func (s *Store) one(ctx context.Context, dest []any, statement string, args ...any) error {
	return s.call(ctx, func(ctx context.Context) error {
		return s.session.Query(statement, args...).WithContext(ctx).Scan(dest...)
	})
}

// decided reads as one does, but what lightweight transactions have decided.
func (s *Store) decided(ctx context.Context, dest []any, statement string, args ...any) error {
	return s.call(ctx, func(ctx context.Context) error {
		return s.session.Query(statement, args...).WithContext(ctx).Consistency(gocql.LocalSerial).Scan(dest...)
	})
}

// decide runs a lightweight transaction and tells whether it was applied, and else the row
// that is there. It may have been applied by a try whose answer was lost: then the row
// that is there is the one that was to be written.
func (s *Store) decide(ctx context.Context, statement string, args ...any) (applied bool, there map[string]any, err error) {
	err = s.call(ctx, func(ctx context.Context) (err error) {
		there = map[string]any{}
		applied, err = s.session.Query(statement, args...).WithContext(ctx).MapScanCAS(there)
		return err
	})
	return applied, there, err
}

// read calls fn for the rows of a statement, page by page; dest tells where a row's columns
// go. The rows of a page are in memory at once, and no request is under way while fn runs.
func read[R any](ctx context.Context, s *Store, pageSize int, dest func(*R) []any, fn func(*R) error, statement string, args ...any) error {
	return readPages(ctx, s, &pages{rows: pageSize}, dest, fn, statement, args...)
}

// pages says how many rows the next page has. A page is in the memory of a server as a whole,
// so where rows tell their size they are as many as come to pageBytes if they are like those
// of the last page. One that begins anew, or goes on elsewhere, may not find such rows: so
// their number grows by steps.
type pages struct{ rows int }

const (
	pageBytes = 1 << 20
	// leastPage is the number of rows that a page has though they may be great, and
	// greatestPage that beyond which more are no faster.
	leastPage, greatestPage = 20, 1000
	// pageGrowth is how many times as many rows a page may have as the one before.
	pageGrowth = 4
)

// sized is a row that tells its size in bytes.
type sized interface{ size() int }

// learn takes in how great the rows of a page were.
func (p *pages) learn(rows, bytes int) {
	if rows == 0 || bytes == 0 {
		return
	}
	p.rows = min(max(rows*pageBytes/bytes, leastPage), p.rows*pageGrowth, greatestPage)
}

// readPages is read with pages whose size is known from what was read before.
func readPages[R any](ctx context.Context, s *Store, pages *pages, dest func(*R) []any, fn func(*R) error, statement string, args ...any) error {
	for state := []byte(nil); ; {
		var page []R
		err := s.call(ctx, func(ctx context.Context) error {
			rows := s.session.Query(statement, args...).WithContext(ctx).PageSize(pages.rows).PageState(state).Iter()
			for {
				var row R
				if !rows.Scan(dest(&row)...) {
					break
				}
				page = append(page, row)
			}
			state = slices.Clone(rows.PageState())
			return rows.Close()
		})
		if err != nil {
			return err
		}
		bytes := 0
		for i := range page {
			if row, tells := any(&page[i]).(sized); tells {
				bytes += row.size()
			}
		}
		pages.learn(len(page), bytes)
		for i := range page {
			if err := fn(&page[i]); err != nil {
				return err
			}
		}
		if len(state) == 0 {
			return ctx.Err()
		}
	}
}

// statement is one of a batch.
type statement struct {
	cql  string
	args []any
}

const (
	// batchRows and batchBytes bound a batch: below what servers warn of, and enough to
	// make the cost of a request small.
	batchRows  = 100
	batchBytes = 48 << 10
)

// batch runs statements of one partition together: all of them or none.
func (s *Store) batch(ctx context.Context, statements []statement) error {
	if len(statements) == 1 {
		return s.exec(ctx, statements[0].cql, statements[0].args...)
	}
	return s.call(ctx, func(ctx context.Context) error {
		batch := s.session.BatchWithContext(ctx, gocql.UnloggedBatch)
		for _, st := range statements {
			// The driver tries again only what it is told may be done twice.
			batch.Entries = append(batch.Entries, gocql.BatchEntry{Stmt: st.cql, Args: st.args, Idempotent: true})
		}
		return batch.Exec()
	})
}

// batches collects statements into batches of one partition each, within the bounds of one.
type batches[P comparable] struct {
	full [][]statement
	open map[P]*openBatch
}

type openBatch struct {
	statements []statement
	bytes      int
}

// add takes a statement to a partition, with so many bytes in it.
func (b *batches[P]) add(partition P, bytes int, cql string, args ...any) {
	if b.open == nil {
		b.open = map[P]*openBatch{}
	}
	into := b.open[partition]
	if into == nil {
		into = &openBatch{}
		b.open[partition] = into
	}
	into.statements = append(into.statements, statement{cql, args})
	if into.bytes += bytes; len(into.statements) == batchRows || into.bytes > batchBytes {
		b.full = append(b.full, into.statements)
		delete(b.open, partition)
	}
}

// write runs all of them, several at the same time.
func (b *batches[P]) write(ctx context.Context, s *Store) error {
	writing, inner := errgroup.WithContext(ctx)
	for _, statements := range b.full {
		writing.Go(func() error { return s.batch(inner, statements) })
	}
	for _, open := range b.open {
		writing.Go(func() error { return s.batch(inner, open.statements) })
	}
	if err := writing.Wait(); err != nil {
		return err
	}
	return ctx.Err()
}
