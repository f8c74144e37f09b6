package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	"google.golang.org/protobuf/types/known/timestamppb"

	attunev1 "github.com/attune-shop/attune/gen/attune/v1"
)

type ingestBench struct {
	Seconds int `help:"How long each line is measured." default:"8"`
	Users   int `help:"Users whose events they are." default:"100000"`
	Streams int `help:"Streams at once." default:"4"`
}

// Run prints the durable events per second for batches of 500 and 100, single events in
// unary calls, and the two baselines.
func (b *ingestBench) Run(ctx context.Context, attune binary) error {
	during := time.Duration(b.Seconds) * time.Second
	dir, err := os.MkdirTemp("", "attune-bench-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	server, err := attune.serve(ctx, "--data", dir)
	if err != nil {
		return err
	}
	defer func() { _ = server.stop(os.Interrupt) }()
	client := attunev1.NewEventServiceClient(server.conn)

	raw, err := rawCommits(500, during/2)
	if err != nil {
		return err
	}
	empty, err := emptyCalls(ctx, 16, 0, during/2)
	if err != nil {
		return err
	}
	emptyRate := empty.rate(during / 2)
	visits := newVisits(b.Users, 1)
	fmt.Printf("%-52s %12s %9s\n", "durable ingest, client included", "events/s", "ratio")
	for _, size := range []int{500, 100} {
		rate, err := stream(ctx, client, visits, b.Streams, size, during)
		if err != nil {
			return err
		}
		fmt.Printf("%-52s %12.0f %8.2fx of raw Pebble\n", fmt.Sprintf("streams of batches of %d, %d streams", size, b.Streams), rate, rate/raw)
	}
	single, err := measure(ctx, 16, during, func(ctx context.Context, random *rand.Rand) error {
		e := new(attunev1.Event)
		visits.fill(e, random)
		_, err := client.Write(ctx, &attunev1.WriteRequest{Events: []*attunev1.Event{e}})
		return err
	})
	if err != nil {
		return err
	}
	fmt.Printf("%-52s %12.0f %8.2fx of empty calls (p50 %v, p99 %v)\n", "single events, unary, 16 clients",
		single.rate(during), single.rate(during)/emptyRate, single.quantile(.5), single.quantile(.99))
	fmt.Printf("%-52s %12.0f\n", "baseline: Pebble, synced batches of 500", raw)
	fmt.Printf("%-52s %12.0f\n", "baseline: empty unary gRPC call, 16 clients", emptyRate)
	return nil
}

// stream sends batches over several streams, each with a few batches unanswered, and
// returns the acknowledged events per second.
func stream(ctx context.Context, client attunev1.EventServiceClient, visits *visits, streams, size int, during time.Duration) (float64, error) {
	var mu sync.Mutex
	acked := 0
	running, ctx := errgroup.WithContext(ctx)
	began := time.Now()
	for n := range streams {
		running.Go(func() error {
			stream, err := client.Stream(ctx)
			if err != nil {
				return err
			}
			unanswered := make(chan struct{}, 8)
			running.Go(func() error {
				random := rand.New(rand.NewPCG(uint64(began.UnixNano()), uint64(n)))
				request := &attunev1.StreamRequest{Events: make([]*attunev1.Event, size)}
				for i := range request.Events {
					request.Events[i] = new(attunev1.Event)
				}
				for time.Since(began) < during {
					select {
					case unanswered <- struct{}{}:
					case <-ctx.Done():
						return ctx.Err()
					}
					visits.fillBatch(request.Events, random)
					if err := stream.Send(request); err != nil {
						return err
					}
				}
				return stream.CloseSend()
			})
			for {
				response, err := stream.Recv()
				if errors.Is(err, io.EOF) {
					return nil
				}
				if err != nil {
					return err
				}
				for _, result := range response.GetResults() {
					if result.GetStatus() != attunev1.EventStatus_ACCEPTED {
						return fmt.Errorf("event %s: %v %v", result.GetEventId(), result.GetStatus(), result.GetViolations())
					}
				}
				mu.Lock()
				acked += len(response.GetResults())
				mu.Unlock()
				<-unanswered
			}
		})
	}
	err := running.Wait()
	return float64(acked) / time.Since(began).Seconds(), err
}

// visits holds the names that events are made of, so that a client spends its time on
// sending them.
type visits struct {
	users, sessions, items []string
	// each is the number of events of one user in a row.
	each int
}

func newVisits(users, each int) *visits {
	return &visits{each: each, users: names("user-%07d", users), sessions: names("session-%08x", 1<<16), items: names("item-%05d", 50_000)}
}

func names(format string, n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprintf(format, i)
	}
	return all
}

// fillBatch makes events new, so many of one user in a row.
func (v *visits) fillBatch(events []*attunev1.Event, random *rand.Rand) {
	for i, e := range events {
		v.fill(e, random)
		if i%v.each > 0 {
			e.UserId, e.SessionId = events[i-1].UserId, events[i-1].SessionId
		}
	}
}

// fill makes e a new view or, one time in ten, a cart event of about 150 bytes.
func (v *visits) fill(e *attunev1.Event, random *rand.Rand) {
	e.EventId = strconv.FormatUint(random.Uint64(), 36) + strconv.FormatUint(random.Uint64(), 36)
	e.Type = "view_item"
	if random.IntN(10) == 0 {
		e.Type = "add_to_cart"
	}
	e.UserId = v.users[random.IntN(len(v.users))]
	e.SessionId = v.sessions[random.IntN(len(v.sessions))]
	e.ItemId = v.items[random.IntN(len(v.items))]
	e.OccurredAt = timestamppb.New(time.Now().Add(-time.Duration(random.Int64N(int64(30 * 24 * time.Hour)))))
	e.Placement = "product_page"
}
