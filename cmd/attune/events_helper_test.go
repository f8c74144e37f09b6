package main_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/attune-shop/attune/cmd/attune/internal/importer"
	attunev1 "github.com/attune-shop/attune/gen/attune/v1"
)

// seen is a look at the lamp.
func seen(id, user string) *attunev1.Event {
	return &attunev1.Event{EventId: id, Type: "view_item", UserId: user, ItemId: "lamp"}
}

// retailFile is where Online Retail, a year of a real shop, would be: below ATTUNE_TEST_DATA.
func retailFile() string {
	return filepath.Join(cmp.Or(os.Getenv("ATTUNE_TEST_DATA"), "../../../shared/data"), "online-retail", "online_retail.csv.gz")
}

// realEvents reads Online Retail, nil where it is not there.
func realEvents(t *testing.T) []*attunev1.Event {
	t.Helper()
	path := retailFile()
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

// sendUntilAcked repeats a batch until one of the servers that run by then acknowledges it.
func sendUntilAcked(server func() *service, batch []*attunev1.Event) error {
	for deadline := time.Now().Add(2 * time.Minute); ; {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		response, err := attunev1.NewEventServiceClient(server().conn).Write(ctx, &attunev1.WriteRequest{Events: batch})
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
