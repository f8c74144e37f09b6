package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	attunev1 "github.com/attune-shop/attune/gen/attune/v1"
)

type recommendBench struct {
	Seconds   int     `help:"How long each line is measured." default:"10"`
	Items     int     `help:"Items in the catalog." default:"50000"`
	Users     int     `help:"Users of whom the model learns." default:"20000"`
	Recent    int     `help:"Events of each user that asks." default:"200"`
	Asking    int     `help:"Users that ask." default:"500"`
	Rate      float64 `help:"Calls a second of sixteen clients that are not as fast as they can." default:"800"`
	Algorithm string  `help:"What is trained." default:"auto"`
}

// Run fills a shop, trains, and prints the latency and rate of Recommend for one client
// and for sixteen, as fast as they can and at a steady rate, beside an empty call's.
func (b *recommendBench) Run(ctx context.Context, attune binary) error {
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
	return b.measure(ctx, server)
}

// measure fills a server's shop and measures it.
func (b *recommendBench) measure(ctx context.Context, server *process) error {
	if err := b.fill(ctx, server); err != nil {
		return err
	}
	model, err := b.train(ctx, server)
	if err != nil {
		return err
	}
	client := attunev1.NewRecommendationServiceClient(server.conn)
	ask := func(ctx context.Context, random *rand.Rand) error {
		response, err := client.Recommend(ctx, &attunev1.RecommendRequest{UserId: fmt.Sprintf("asking-%04d", random.IntN(b.Asking)), ExcludeBought: true})
		if err == nil && len(response.GetItems()) == 0 {
			err = errors.New("an empty list")
		}
		return err
	}
	during := time.Duration(b.Seconds) * time.Second
	if _, err := measure(ctx, 4, time.Second, ask); err != nil {
		return err
	}
	fmt.Printf("Recommend, %d items, %d recent events, model %s\n", b.Items, b.Recent, model)
	fmt.Printf("%-52s %10s %10s %10s %10s\n", "", "calls/s", "p50", "p99", "p99.9")
	show := func(name string, l latencies, during time.Duration) {
		fmt.Printf("%-52s %10.0f %10v %10v %10v\n", name, l.rate(during),
			l.quantile(.5).Round(time.Microsecond), l.quantile(.99).Round(time.Microsecond), l.quantile(.999).Round(time.Microsecond))
	}
	for _, clients := range []int{1, 16} {
		empty, err := emptyCalls(ctx, clients, 0, during/2)
		if err != nil {
			return err
		}
		got, err := measure(ctx, clients, during, ask)
		if err != nil {
			return err
		}
		show(fmt.Sprintf("Recommend, %d clients as fast as they can", clients), got, during)
		show(fmt.Sprintf("baseline: empty call, %d clients", clients), empty, during/2)
		fmt.Printf("%-52s %9.2fx\n", "share of the empty call's rate", got.rate(during)/empty.rate(during/2))
	}
	got, err := paced(ctx, 16, b.Rate, during, ask)
	if err != nil {
		return err
	}
	empty, err := emptyCalls(ctx, 16, b.Rate, during/2)
	if err != nil {
		return err
	}
	show(fmt.Sprintf("Recommend, 16 clients, %.0f calls/s together", b.Rate), got, during)
	show(fmt.Sprintf("baseline: empty call, 16 clients, %.0f calls/s", b.Rate), empty, during/2)
	return nil
}

// fill writes the catalog, the users whose events train the model, and those that ask.
func (b *recommendBench) fill(ctx context.Context, server *process) error {
	catalog := attunev1.NewCatalogServiceClient(server.conn)
	for from := 0; from < b.Items; from += 5000 {
		var items []*attunev1.Item
		for i := from; i < min(from+5000, b.Items); i++ {
			items = append(items, &attunev1.Item{
				ItemId: itemName(i), Title: "Item", Categories: []string{fmt.Sprintf("Department %d > Shelf %d", i%12, i%240)},
				Brand: fmt.Sprintf("Brand %d", i%300), Price: &attunev1.Money{CurrencyCode: "EUR", MinorUnits: int64(100 + i%9000)},
			})
		}
		if _, err := catalog.UpsertItems(ctx, &attunev1.UpsertItemsRequest{Items: items}); err != nil {
			return err
		}
	}
	random := rand.New(rand.NewPCG(7, 7))
	events := attunev1.NewEventServiceClient(server.conn)
	var batch []*attunev1.Event
	send := func() error {
		if len(batch) == 0 {
			return nil
		}
		_, err := events.Write(ctx, &attunev1.WriteRequest{Events: batch})
		batch = nil
		return err
	}
	visit := func(user string, n int) error {
		taste := random.IntN(240)
		for range n {
			batch = append(batch, b.event(random, user, taste))
			if len(batch) == 2000 {
				if err := send(); err != nil {
					return err
				}
			}
		}
		return nil
	}
	for u := range b.Users {
		if err := visit(fmt.Sprintf("user-%06d", u), 10+random.IntN(50)); err != nil {
			return err
		}
	}
	for u := range b.Asking {
		if err := visit(fmt.Sprintf("asking-%04d", u), b.Recent); err != nil {
			return err
		}
	}
	return send()
}

func itemName(i int) string { return fmt.Sprintf("item-%05d", i) }

// event draws an item, mostly from the shelf that the user likes, the popular ones more often.
func (b *recommendBench) event(random *rand.Rand, user string, taste int) *attunev1.Event {
	shelf := taste
	if random.IntN(5) == 0 {
		shelf = random.IntN(240)
	}
	rank := int(float64(b.Items/240) * random.Float64() * random.Float64())
	kind := "view_item"
	if random.IntN(8) == 0 {
		kind = "add_to_cart"
	}
	return &attunev1.Event{
		EventId: fmt.Sprintf("%016x%016x", random.Uint64(), random.Uint64()), Type: kind, UserId: user, ItemId: itemName(min(rank*240+shelf, b.Items-1)),
		OccurredAt: timestamppb.New(time.Now().Add(-time.Duration(random.Int64N(int64(60 * 24 * time.Hour))))),
	}
}

func (b *recommendBench) train(ctx context.Context, server *process) (string, error) {
	stream, err := attunev1.NewModelServiceClient(server.conn).Train(ctx, &attunev1.TrainRequest{Algorithm: b.Algorithm, Seed: 1})
	if err != nil {
		return "", err
	}
	version := ""
	for {
		response, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return version, nil
		}
		if err != nil {
			return "", err
		}
		if response.GetModel() != nil {
			version = response.GetModel().GetVersion()
		}
	}
}
