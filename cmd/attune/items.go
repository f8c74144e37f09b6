package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/attune-shop/attune/cmd/attune/internal/importer"
	attunev1 "github.com/attune-shop/attune/gen/attune/v1"
)

type itemsCmd struct {
	List           itemsListCmd     `cmd:"" help:"List the catalog."`
	Get            itemsGetCmd      `cmd:"" help:"Show one item."`
	Upsert         itemsUpsertCmd   `cmd:"" help:"Store the items of a file, one JSON a line."`
	Delete         itemsDeleteCmd   `cmd:"" help:"Remove items from the catalog; their events stay."`
	Similar        itemsSimilarCmd  `cmd:"" help:"What goes in the place of an item."`
	BoughtTogether itemsTogetherCmd `cmd:"" help:"What is bought with an item or a basket."`
	Trending       itemsTrendingCmd `cmd:"" help:"The items with the most events of late."`
}

// page is which part of a long list is asked for.
type page struct {
	PageSize  int32  `help:"Entries at the most, 1 to 1000." default:"100" placeholder:"N"`
	PageToken string `help:"Go on after an earlier page." placeholder:"TOKEN"`
}

// paged is an answer that holds a part of a long list.
type paged interface {
	proto.Message
	GetNextPageToken() string
}

// printPage prints an answer as JSON, or its rows and how to go on after them.
func printPage(out io.Writer, form string, response paged, rows []string) error {
	if form == "json" {
		return printJSON(out, response)
	}
	p := &printer{to: out}
	p.table("", rows)
	if token := response.GetNextPageToken(); token != "" {
		p.line("more: --page-token %s", token)
	}
	return p.err
}

type itemsListCmd struct {
	page
	remote
}

// Run prints a page of the catalog.
func (c *itemsListCmd) Run(ctx context.Context, out io.Writer) error {
	return c.ask(ctx, func(ctx context.Context, s *shopServer) error {
		response, err := s.items.ListItems(ctx, &attunev1.ListItemsRequest{PageSize: c.PageSize, PageToken: c.PageToken})
		if err != nil {
			return err
		}
		var rows []string
		for _, i := range response.GetItems() {
			rows = append(rows, fmt.Sprintf("%s\t%s\t%s\t%s\t%s\t%s", plain(i.GetItemId()), plain(i.GetTitle()), price(i.GetPrice()),
				plain(i.GetBrand()), plain(strings.Join(i.GetCategories(), ", ")), availability(i)))
		}
		return printPage(out, c.Output, response, rows)
	})
}

func availability(i *attunev1.Item) string {
	return strings.ReplaceAll(strings.ToLower(i.GetAvailability().String()), "_", " ")
}

type itemsGetCmd struct {
	Item string `arg:"" help:"The item's id."`
	remote
}

// Run prints one item.
func (c *itemsGetCmd) Run(ctx context.Context, out io.Writer) error {
	return c.ask(ctx, func(ctx context.Context, s *shopServer) error {
		i, err := s.items.GetItem(ctx, &attunev1.GetItemRequest{ItemId: c.Item})
		if err != nil {
			return err
		}
		if c.Output == "json" {
			return printJSON(out, i)
		}
		var rows []string
		add := func(name, value string) {
			if value != "" {
				rows = append(rows, name+"\t"+plain(value))
			}
		}
		add("item", i.GetItemId())
		add("title", i.GetTitle())
		add("categories", strings.Join(i.GetCategories(), ", "))
		add("brand", i.GetBrand())
		add("price", price(i.GetPrice()))
		add("availability", availability(i))
		if t := i.GetAvailableFrom(); t != nil {
			add("available from", t.AsTime().Format(time.RFC3339))
		}
		if t := i.GetAvailableUntil(); t != nil {
			add("available until", t.AsTime().Format(time.RFC3339))
		}
		add("image", i.GetImageUrl())
		add("page", i.GetPageUrl())
		if len(i.GetAttributes().GetFields()) > 0 {
			attributes, err := protojson.Marshal(i.GetAttributes())
			if err != nil {
				return err
			}
			add("attributes", string(attributes))
		}
		p := &printer{to: out}
		p.table("", rows)
		return p.err
	})
}

type itemsUpsertCmd struct {
	File string `arg:"" help:"A file of items, plain or gzip'ed, one JSON a line." type:"existingfile"`
	remote
}

// Run stores the file's items and prints how many; one that was not stored is an error.
func (c *itemsUpsertCmd) Run(ctx context.Context, out io.Writer) error {
	file, err := importer.OpenFile(c.File)
	if err != nil {
		return err
	}
	defer file.Close()
	server, err := connect(c.Addr)
	if err != nil {
		return err
	}
	defer server.conn.Close()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := server.items.ImportItems(ctx)
	if err != nil {
		return server.failure(err)
	}
	var batch []*attunev1.Item
	flush := func() error {
		items := batch
		batch = nil
		return stream.Send(&attunev1.ImportItemsRequest{Items: items})
	}
	malformed, err := importer.ReadItems(file, func(item *attunev1.Item) error {
		if batch = append(batch, item); len(batch) < itemBatch {
			return nil
		}
		return flush()
	})
	if err == nil && len(batch) > 0 {
		err = flush()
	}
	if err != nil && !errors.Is(err, io.EOF) { // CloseAndRecv says why a stream ended
		return err
	}
	response, err := stream.CloseAndRecv()
	if err != nil {
		return server.failure(err)
	}
	return c.print(out, response, malformed)
}

func (c *itemsUpsertCmd) print(out io.Writer, response *attunev1.ImportItemsResponse, malformed []importer.Reason) error {
	for _, r := range malformed {
		response.Rejected += r.Lines
		response.Rejections = append(response.Rejections, &attunev1.ItemResult{
			Violations: []*attunev1.FieldViolation{{Field: fmt.Sprintf("%d lines", r.Lines), Description: r.Reason + ", as " + r.Example}},
		})
	}
	p := &printer{to: out}
	if c.Output == "json" {
		p.err = printJSON(out, response)
	} else {
		for _, r := range response.GetRejections() {
			for _, v := range r.GetViolations() {
				p.line("%s: %s: %s", plain(r.GetItemId()), plain(v.GetField()), plain(v.GetDescription()))
			}
		}
		p.line("%s items stored, %s rejected.", thousands(response.GetStored()), thousands(response.GetRejected()))
	}
	if p.err == nil && response.GetRejected() > 0 {
		return fmt.Errorf("%d items were not stored", response.GetRejected())
	}
	return p.err
}

type itemsDeleteCmd struct {
	Items []string `arg:"" help:"The items' ids."`
	remote
}

// Run removes the items, up to the first that cannot be.
func (c *itemsDeleteCmd) Run(ctx context.Context, out io.Writer) error {
	return c.ask(ctx, func(ctx context.Context, s *shopServer) error {
		for _, id := range c.Items {
			response, err := s.items.DeleteItem(ctx, &attunev1.DeleteItemRequest{ItemId: id})
			if err != nil {
				return err
			}
			if c.Output == "json" {
				err = printJSON(out, response)
			} else {
				_, err = fmt.Fprintf(out, "%s deleted\n", plain(id))
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}

type itemsSimilarCmd struct {
	Item string `arg:"" help:"The item's id."`
	For  string `name:"user" help:"The visitor whose features filters and exclusions see." placeholder:"USER"`
	choice
	remote
}

// Run prints what goes in the place of an item.
func (c *itemsSimilarCmd) Run(ctx context.Context, out io.Writer) error {
	return c.ask(ctx, func(ctx context.Context, s *shopServer) error {
		response, err := s.lists.SimilarItems(ctx, &attunev1.SimilarItemsRequest{
			UserId: c.For, ItemId: c.Item,
			Limit: proto.Int32(c.Limit), Filter: c.Filter, Boost: c.Boost, ExcludeItemIds: c.Exclude,
			ExcludeBought: c.ExcludeBought, ExcludeSeen: c.ExcludeSeen, ExcludeInCart: c.ExcludeInCart,
			MaxPerCategory: c.MaxPerCategory, Placement: c.Placement, Explain: c.Explain,
		})
		return c.printList(ctx, out, s, response, err)
	})
}

type itemsTogetherCmd struct {
	Items []string `arg:"" help:"The item's id, or those of a basket."`
	For   string   `name:"user" help:"The visitor whose features filters and exclusions see." placeholder:"USER"`
	choice
	remote
}

// Run prints what is bought with the basket.
func (c *itemsTogetherCmd) Run(ctx context.Context, out io.Writer) error {
	return c.ask(ctx, func(ctx context.Context, s *shopServer) error {
		response, err := s.lists.BoughtTogether(ctx, &attunev1.BoughtTogetherRequest{
			UserId: c.For, ItemId: c.Items[0], BasketItemIds: c.Items[1:],
			Limit: proto.Int32(c.Limit), Filter: c.Filter, Boost: c.Boost, ExcludeItemIds: c.Exclude,
			ExcludeBought: c.ExcludeBought, ExcludeSeen: c.ExcludeSeen, ExcludeInCart: c.ExcludeInCart,
			MaxPerCategory: c.MaxPerCategory, Placement: c.Placement, Explain: c.Explain,
		})
		return c.printList(ctx, out, s, response, err)
	})
}

type itemsTrendingCmd struct {
	Window   time.Duration `help:"Time back from now, 1h to 720h." default:"24h" placeholder:"TIME"`
	Type     string        `help:"Events counted; every type by its weight where not given." placeholder:"TYPE"`
	Category string        `help:"Items of this category or below it." placeholder:"PATH"`
	For      string        `name:"user" help:"The visitor whose features filters and exclusions see." placeholder:"USER"`
	choice
	remote
}

// Run prints what is asked for most of late.
func (c *itemsTrendingCmd) Run(ctx context.Context, out io.Writer) error {
	return c.ask(ctx, func(ctx context.Context, s *shopServer) error {
		response, err := s.lists.Trending(ctx, &attunev1.TrendingRequest{
			UserId: c.For, Window: durationpb.New(c.Window), EventType: c.Type, Category: c.Category,
			Limit: proto.Int32(c.Limit), Filter: c.Filter, Boost: c.Boost, ExcludeItemIds: c.Exclude,
			ExcludeBought: c.ExcludeBought, ExcludeSeen: c.ExcludeSeen, ExcludeInCart: c.ExcludeInCart,
			MaxPerCategory: c.MaxPerCategory, Placement: c.Placement, Explain: c.Explain,
		})
		return c.printList(ctx, out, s, response, err)
	})
}
