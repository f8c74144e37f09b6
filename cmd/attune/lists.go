package main

import (
	"context"
	"fmt"
	"io"

	"google.golang.org/grpc"

	attunev1 "github.com/attune-shop/attune/gen/attune/v1"
)

// listFlags are the options of every list.
type listFlags struct {
	Limit          int32    `help:"Items at the most." default:"10"`
	Filter         string   `help:"CEL rule that an item must meet, as in item.brand == 'Bramble'." placeholder:"CEL"`
	Boost          string   `help:"CEL number that an item's score is multiplied by." placeholder:"CEL"`
	Exclude        []string `help:"Items to leave out." placeholder:"ITEM"`
	ExcludeBought  bool     `help:"Leave out what the visitor bought."`
	ExcludeSeen    bool     `help:"Leave out what the visitor viewed."`
	ExcludeInCart  bool     `help:"Leave out what is in the cart."`
	MaxPerCategory int32    `help:"Items of one category at the most; 0 is no bound."`
	Explain        bool     `help:"Say what brought each item up."`
}

type recommendCmd struct {
	client
	User      string `arg:"" optional:"" help:"User to recommend to; none for a visitor nobody knows."`
	Anonymous string `help:"Anonymous visitor to recommend to." placeholder:"ID"`
	listFlags
}

// Run prints a list for a visitor.
func (c *recommendCmd) Run(ctx context.Context, out io.Writer) error {
	conn, err := c.dial()
	if err != nil {
		return err
	}
	defer conn.Close()
	list, err := attunev1.NewRecommendationServiceClient(conn).Recommend(ctx, &attunev1.RecommendRequest{
		UserId: c.User, AnonymousId: c.Anonymous, Limit: &c.Limit, Filter: c.Filter, Boost: c.Boost, ExcludeItemIds: c.Exclude,
		ExcludeBought: c.ExcludeBought, ExcludeSeen: c.ExcludeSeen, ExcludeInCart: c.ExcludeInCart, MaxPerCategory: c.MaxPerCategory, Explain: c.Explain,
	})
	if err != nil {
		return plain(err)
	}
	if done, err := c.json(out, list); done {
		return err
	}
	return showList(ctx, conn, out, list)
}

// showList writes a list, a line an item with its title and a line a reason.
func showList(ctx context.Context, conn *grpc.ClientConn, out io.Writer, list *attunev1.RecommendResponse) error {
	catalog := attunev1.NewCatalogServiceClient(conn)
	for i, entry := range list.GetItems() {
		title := ""
		if item, err := catalog.GetItem(ctx, &attunev1.GetItemRequest{ItemId: entry.GetItemId()}); err == nil {
			title = item.GetTitle()
		}
		if _, err := fmt.Fprintf(out, "  %2d. %-28s %8.4f  %s\n", i+1, entry.GetItemId(), entry.GetScore(), title); err != nil {
			return err
		}
		for _, reason := range entry.GetReasons() {
			if _, err := fmt.Fprintf(out, "        %3.0f %%  %s\n", 100*reason.GetShare(), reason.GetText()); err != nil {
				return err
			}
		}
	}
	_, err := fmt.Fprintf(out, "  list %s, model %s\n", list.GetRecommendationId(), orNone(list.GetModelVersion()))
	return err
}

func orNone(text string) string {
	if text == "" {
		return "(none)"
	}
	return text
}
