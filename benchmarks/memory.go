package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"time"

	"golang.org/x/sync/errgroup"

	attunev1 "github.com/attune-shop/attune/gen/attune/v1"
)

type memoryBench struct {
	Users int `help:"Users." default:"1000000"`
	Each  int `help:"Events of each." default:"20"`
}

// Run writes the events in sessions, the users in random order, and prints the server's resident memory
// and how long it takes to be ready again after a clean stop and after a kill.
func (b *memoryBench) Run(ctx context.Context, attune binary) error {
	dir, err := os.MkdirTemp("", "attune-bench-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	server, err := attune.serve(ctx, "--data", dir)
	if err != nil {
		return err
	}
	began := time.Now()
	if err := b.fill(ctx, server); err != nil {
		return err
	}
	total := b.Users * b.Each
	fmt.Printf("%d users, %d events, written in %v (%.0f events/s)\n", b.Users, total, time.Since(began).Round(time.Second), float64(total)/time.Since(began).Seconds())
	show := func(when string) error {
		now, peak, err := server.residentBytes()
		fmt.Printf("%-28s %6d MiB resident, %6d MiB at its peak, ready in %v\n", when, now>>20, peak>>20, server.ready.Round(time.Millisecond))
		return err
	}
	if err := show("after the writes"); err != nil {
		return err
	}
	for _, end := range []os.Signal{os.Kill, os.Interrupt} {
		if err := server.stop(end); err != nil {
			return err
		}
		if server, err = attune.serve(ctx, "--data", dir); err != nil {
			return err
		}
		if err := show(fmt.Sprintf("started after %v", end)); err != nil {
			return err
		}
	}
	return server.stop(os.Interrupt)
}

// sessionEvents is how many events a user sends at a time.
const sessionEvents = 5

// fill sends the events of each user in sessions; each time round, users come in another order.
func (b *memoryBench) fill(ctx context.Context, server *process) error {
	events := attunev1.NewEventServiceClient(server.conn)
	running, ctx := errgroup.WithContext(ctx)
	const writers, size = 8, 1000
	visits := newVisits(b.Users, 1)
	for w := range writers {
		running.Go(func() error {
			random := rand.New(rand.NewPCG(11, uint64(w)))
			var batch []*attunev1.Event
			send := func(full int) error {
				if len(batch) < full {
					return nil
				}
				_, err := events.Write(ctx, &attunev1.WriteRequest{Events: batch})
				batch = batch[:0]
				return err
			}
			for sent := 0; sent < b.Each; sent += sessionEvents {
				for _, u := range random.Perm((b.Users - w + writers - 1) / writers) {
					for range min(sessionEvents, b.Each-sent) {
						e := new(attunev1.Event)
						visits.fill(e, random)
						e.UserId = visits.users[u*writers+w]
						batch = append(batch, e)
					}
					if err := send(size); err != nil {
						return err
					}
				}
			}
			return send(1)
		})
	}
	return running.Wait()
}
