package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/gocql/gocql"
	"github.com/redis/go-redis/v9"
	"golang.org/x/sync/errgroup"

	attunev1 "github.com/attune-shop/attune/gen/attune/v1"
	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/server/wire"
)

type distributedBench struct {
	servers `embed:""`
	Rounds  int            `help:"How often each line is measured; the median counts." default:"3"`
	Seconds int            `help:"How long each measurement is." default:"6"`
	Users   int            `help:"Users whose events they are." default:"100000"`
	Lists   recommendBench `embed:"" prefix:"lists-"`
}

// Run prints the latency of Recommend on Redis and ScyllaDB, and then the durable events per
// second beside what a bare client of each store writes of the same. Lists come first, for the
// server of ScyllaDB still compacts what was written when that is over, and takes the processor
// from whatever is measured next.
func (b *distributedBench) Run(ctx context.Context, attune binary) error {
	server, keyspace, err := b.serve(ctx, attune)
	if err != nil {
		return err
	}
	defer func() { _ = server.stop(os.Interrupt) }()
	if err := b.Lists.measure(ctx, server); err != nil {
		return err
	}
	return b.ingest(ctx, server, keyspace)
}

func (b *distributedBench) ingest(ctx context.Context, server *process, keyspace string) error {
	session, err := b.session(keyspace)
	if err != nil {
		return err
	}
	defer session.Close()
	bare := &bareWriter{session}
	if err := bare.makeTable(ctx); err != nil {
		return err
	}
	cache := redis.NewClient(&redis.Options{Addr: b.Redis})
	defer cache.Close()
	client := attunev1.NewEventServiceClient(server.conn)

	const size, streams = 500, 8
	during := time.Duration(b.Seconds) * time.Second
	fmt.Printf("%-52s %12s %9s\n", "durable ingest on Redis and CQL, batches of 500", "events/s", "ratio")
	for _, each := range []int{1, 10} {
		visits := newVisits(b.Users, each)
		var acked, rows, values []float64
		for range b.Rounds {
			written, err := bare.write(ctx, visits, streams, size, during)
			if err != nil {
				return err
			}
			set, err := pipelines(ctx, cache, visits, streams, size, during/2)
			if err != nil {
				return err
			}
			rate, err := stream(ctx, client, visits, streams, size, during)
			if err != nil {
				return err
			}
			rows, values, acked = append(rows, written), append(values, set), append(acked, rate)
		}
		name := fmt.Sprintf("%d of a user in a row", each)
		fmt.Printf("%-52s %12.0f %8.2fx of the bare CQL writer\n", "acknowledged by Attune, "+name, median(acked), median(acked)/median(rows))
		fmt.Printf("%-52s %12.0f\n", "baseline: bare gocql, the same rows and groups", median(rows))
		fmt.Printf("%-52s %12.0f\n", "baseline: bare go-redis, pipelines of the features", median(values))
	}
	return nil
}

func median(of []float64) float64 {
	slices.Sort(of)
	return of[len(of)/2]
}

// bareWriter writes rows of events as Attune does, into a table like its own, and nothing else.
type bareWriter struct{ session *gocql.Session }

func (w *bareWriter) makeTable(ctx context.Context) error {
	const table = `CREATE TABLE IF NOT EXISTS bare (visitor text, event_id text, seq bigint, data blob, PRIMARY KEY (visitor, event_id, seq))`
	return w.session.Query(table).WithContext(ctx).Exec()
}

// write returns the rows per second.
func (w *bareWriter) write(ctx context.Context, visits *visits, writers, size int, during time.Duration) (float64, error) {
	const insert = `INSERT INTO bare (visitor, event_id, seq, data) VALUES (?, ?, ?, ?)`
	const inFlight = 256 // as Attune has by default, scylla.Options.InFlight
	return inBatches(ctx, visits, writers, size, during, func(ctx context.Context, events []*attunev1.Event) error {
		writing, ctx := errgroup.WithContext(ctx)
		writing.SetLimit(inFlight / writers)
		for group := range slices.Chunk(events, visits.each) {
			writing.Go(func() error {
				batch := w.session.BatchWithContext(ctx, gocql.UnloggedBatch)
				for _, e := range group {
					var stored event.Event
					wire.ReadEvent(&stored, e)
					args := []any{string(stored.Visitor()), stored.ID, int64(1), stored.Append(nil)}
					if len(group) == 1 {
						return w.session.Query(insert, args...).WithContext(ctx).Exec()
					}
					batch.Query(insert, args...)
				}
				return batch.Exec()
			})
		}
		return writing.Wait()
	})
}

// pipelines returns the events per second whose users' features are set, 600 bytes each, in
// pipelines of a batch's users.
func pipelines(ctx context.Context, cache *redis.Client, visits *visits, writers, size int, during time.Duration) (float64, error) {
	value := strings.Repeat("x", 600)
	return inBatches(ctx, visits, writers, size, during, func(ctx context.Context, events []*attunev1.Event) error {
		_, err := cache.Pipelined(ctx, func(p redis.Pipeliner) error {
			for group := range slices.Chunk(events, visits.each) {
				p.Set(ctx, "bench:"+group[0].GetUserId(), value, 10*time.Minute)
			}
			return nil
		})
		return err
	})
}

// inBatches lets writers write batches one after the other, and returns the events per second.
func inBatches(ctx context.Context, visits *visits, writers, size int, during time.Duration, write func(context.Context, []*attunev1.Event) error) (float64, error) {
	done := make([]int, writers)
	running, ctx := errgroup.WithContext(ctx)
	began := time.Now()
	for n := range writers {
		running.Go(func() error {
			random := rand.New(rand.NewPCG(uint64(began.UnixNano()), uint64(n)))
			events := make([]*attunev1.Event, size)
			for i := range events {
				events[i] = new(attunev1.Event)
			}
			for time.Since(began) < during {
				visits.fillBatch(events, random)
				if err := write(ctx, events); err != nil {
					return err
				}
				done[n] += size
			}
			return nil
		})
	}
	err := running.Wait()
	total := 0
	for _, n := range done {
		total += n
	}
	return float64(total) / time.Since(began).Seconds(), err
}
