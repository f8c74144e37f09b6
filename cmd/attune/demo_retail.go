package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/attune-shop/attune/cmd/attune/internal/importer"
	attunev1 "github.com/attune-shop/attune/gen/attune/v1"
)

// knownProducts are ten that everybody who knows the data set knows.
var knownProducts = []string{"85123A", "22423", "85099B", "47566", "84879", "20725", "22720", "22727", "22697", "22457"}

// knownCustomers are three of different habits: one who buys the same lights again and
// again, one who buys for children, one who buys a little of everything.
var knownCustomers = []string{"17850", "12583", "13047"}

// retailExhibit is the real shop of the Online Retail data set.
type retailExhibit struct {
	source importCmd
	until  time.Time
}

// newRetailExhibit reads the file once to find when its data end.
func newRetailExhibit(file string) (*retailExhibit, error) {
	x := &retailExhibit{source: importCmd{
		Format: string(importer.OnlineRetail), File: file, BatchSize: 500, InFlight: 8, Patience: time.Minute,
	}}
	source, opened, err := x.source.open()
	if err != nil {
		return nil, err
	}
	defer opened.Close()
	for {
		record, err := source.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		if at := record.Event.GetOccurredAt().AsTime(); at.After(x.until) {
			x.until = at
		}
	}
	if x.until.IsZero() {
		return nil, fmt.Errorf("%s has no events", file)
	}
	x.until = x.until.Add(time.Minute)
	return x, nil
}

func (x *retailExhibit) end() time.Time { return x.until }

func (x *retailExhibit) load(ctx context.Context, p *printer, s *shopServer) error {
	p.line("\nOnline Retail, from %s", x.source.File)
	done, err := x.source.stream(ctx, s)
	if done != nil {
		done.text(p)
	}
	return err
}

func (x *retailExhibit) lists(ctx context.Context, p *printer, s *shopServer) (user, item string, err error) {
	book := newItemBook(s)
	for _, id := range knownProducts {
		p.line("\n%s %s", id, plain(book.item(ctx, id).GetTitle()))
		similar, err := s.lists.SimilarItems(ctx, &attunev1.SimilarItemsRequest{ItemId: id, Limit: proto.Int32(demoShown)})
		if err != nil {
			return "", "", err
		}
		p.line("  similar:")
		book.list(ctx, p, "    ", similar.GetItems())
		together, err := s.lists.BoughtTogether(ctx, &attunev1.BoughtTogetherRequest{ItemId: id, Limit: proto.Int32(demoShown)})
		if err != nil {
			return "", "", err
		}
		p.line("  bought together:")
		book.list(ctx, p, "    ", together.GetItems())
	}
	for _, id := range knownCustomers {
		p.line("\ncustomer %s", id)
		if err := printVisitor(ctx, p, s, book, id, ""); status.Code(err) == codes.NotFound {
			p.line("  is not in this file")
		} else if err != nil {
			return "", "", err
		}
	}
	return knownCustomers[0], knownProducts[0], p.err
}
