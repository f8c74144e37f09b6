package main_test

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/attune-shop/attune/cmd/attune/internal/importer"
	attunev1 "github.com/attune-shop/attune/gen/attune/v1"
)

// TestExactlyOnceThroughKills streams a year of a real shop, or an invented history where
// its file is not there, twice, shuffled, with a fifth more duplicates, a third of which
// carry another time or none, while the server is killed 20 times. Every batch is sent
// until it is acknowledged, as a storefront would. In the end each distinct event counts
// once, and verify finds no difference.
func TestExactlyOnceThroughKills(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	distinct := realEvents(t)
	if distinct == nil {
		distinct = sampleEvents(random, 30_000, 1_500)
	}
	deck := withDuplicates(random, distinct)

	dir := t.TempDir()
	var current atomic.Pointer[service]
	current.Store(serve(t, dir))
	var acked, next atomic.Int64
	const size, kills = 200, 20
	var senders sync.WaitGroup
	for range 4 {
		senders.Go(func() {
			for {
				from := int(next.Add(size)) - size
				if from >= len(deck) {
					return
				}
				batch := deck[from:min(from+size, len(deck))]
				if err := sendUntilAcked(&current, batch); err != nil {
					t.Error(err)
					return
				}
				acked.Add(int64(len(batch)))
			}
		})
	}
	for k := range kills {
		for acked.Load() < int64(len(deck)*(k+1)/(kills+1)) && !t.Failed() {
			time.Sleep(time.Millisecond)
		}
		if err := current.Load().end(syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		current.Store(serve(t, dir))
	}
	senders.Wait()

	type visitor struct{ user, anonymous, session string }
	want := map[visitor]int64{}
	for _, e := range distinct {
		switch {
		case e.GetUserId() != "":
			want[visitor{user: e.GetUserId()}]++
		case e.GetAnonymousId() != "":
			want[visitor{anonymous: e.GetAnonymousId()}]++
		default:
			want[visitor{session: e.GetSessionId()}]++
		}
	}
	users := attunev1.NewUserServiceClient(current.Load().conn)
	for v, events := range want {
		id := v.user
		if id == "" {
			continue
		}
		user, err := users.GetUser(t.Context(), &attunev1.GetUserRequest{UserId: id})
		if err != nil {
			t.Fatalf("user %s: %v", id, err)
		}
		var got int64
		for _, n := range user.GetEventCounts() {
			got += n
		}
		if got != events {
			t.Errorf("user %s: %d events counted, want %d", id, got, events)
		}
	}
	if err := current.Load().end(os.Interrupt); err != nil {
		t.Errorf("the server ended with %v", err)
	}
	out, err := run(t, "verify", "--data", dir, "--output", "json")
	if err != nil {
		t.Fatalf("verify: %v: %s", err, out)
	}
	var report struct{ Users, Events, Differences json.Number }
	if err := json.Unmarshal(out, &report); err != nil {
		t.Fatalf("verify printed %q: %v", out, err)
	}
	if report.Events.String() != fmt.Sprint(len(distinct)) || report.Users.String() != fmt.Sprint(len(want)) || report.Differences != "0" {
		t.Errorf("verify found %+v, want %d users, %d events, 0 differences", report, len(want), len(distinct))
	}
}

// realEvents reads Online Retail, nil where it is not there.
func realEvents(t *testing.T) []*attunev1.Event {
	path := filepath.Join(cmp.Or(os.Getenv("ATTUNE_TEST_DATA"), "../../../shared/data"), "online-retail", "online_retail.csv.gz")
	file, err := importer.OpenFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		t.Logf("%s is not there: an invented history takes its place", path)
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	source, err := importer.NewSource(importer.OnlineRetail, file, nil)
	if err != nil {
		t.Fatal(err)
	}
	var events []*attunev1.Event
	for {
		record, err := source.Next()
		if errors.Is(err, io.EOF) {
			t.Logf("%d events of %d lines", len(events), source.Lines())
			return events
		}
		if err != nil {
			t.Fatal(err)
		}
		events = append(events, record.Event)
	}
}

// sampleEvents makes n events of distinct ids.
func sampleEvents(random *rand.Rand, n, users int) []*attunev1.Event {
	start := time.Now().Add(-90 * 24 * time.Hour)
	types := []string{"view_item", "add_to_cart", "add_to_wishlist"}
	events := make([]*attunev1.Event, n)
	for i := range events {
		events[i] = &attunev1.Event{
			EventId:    fmt.Sprintf("event-%d", i),
			Type:       types[random.IntN(len(types))],
			UserId:     fmt.Sprintf("user-%d", random.IntN(users)),
			ItemId:     fmt.Sprintf("item-%d", random.IntN(500)),
			OccurredAt: timestamppb.New(start.Add(time.Duration(random.Int64N(int64(80 * 24 * time.Hour))))),
		}
		if i%5 == 0 {
			events[i].Type, events[i].ItemId = "purchase", ""
			events[i].Lines = []*attunev1.Line{{ItemId: "item-1", Quantity: proto.Int64(2), Price: &attunev1.Money{CurrencyCode: "EUR", MinorUnits: 1250}}}
		}
	}
	return events
}

// withDuplicates returns the events twice and a fifth of them once more, in random order.
func withDuplicates(random *rand.Rand, distinct []*attunev1.Event) []*attunev1.Event {
	deck := append(append([]*attunev1.Event{}, distinct...), distinct...)
	for i := range len(distinct) / 5 {
		again := proto.CloneOf(distinct[random.IntN(len(distinct))])
		switch i % 6 {
		case 0:
			again.OccurredAt = nil
		case 1:
			again.OccurredAt = timestamppb.New(again.GetOccurredAt().AsTime().Add(-time.Hour))
		}
		deck = append(deck, again)
	}
	random.Shuffle(len(deck), func(i, j int) { deck[i], deck[j] = deck[j], deck[i] })
	return deck
}

// sendUntilAcked repeats a batch until the server that runs by then acknowledges it.
func sendUntilAcked(current *atomic.Pointer[service], batch []*attunev1.Event) error {
	for deadline := time.Now().Add(2 * time.Minute); ; {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		response, err := attunev1.NewEventServiceClient(current.Load().conn).Write(ctx, &attunev1.WriteRequest{Events: batch})
		cancel()
		if err == nil {
			for _, result := range response.GetResults() {
				if s := result.GetStatus(); s != attunev1.EventStatus_ACCEPTED && s != attunev1.EventStatus_DUPLICATE {
					return fmt.Errorf("event %s: %v %v", result.GetEventId(), s, result.GetViolations())
				}
			}
			return nil
		}
		if code := status.Code(err); code != codes.Unavailable && code != codes.Canceled && code != codes.DeadlineExceeded || time.Now().After(deadline) {
			return err
		}
		time.Sleep(5 * time.Millisecond)
	}
}
