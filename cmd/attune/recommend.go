package main

import (
	"context"
	"io"

	"google.golang.org/protobuf/proto"

	attunev1 "github.com/attune-shop/attune/gen/attune/v1"
)

// choice is what may be asked of every list.
type choice struct {
	Limit          int32    `help:"Items at the most." default:"10" placeholder:"N"`
	Filter         string   `help:"CEL over item and user; an item stays where it is true, as in \"item.price.minor_units < 5000\"." placeholder:"EXPRESSION"`
	Boost          string   `help:"CEL over item and user; scores are multiplied by it." placeholder:"EXPRESSION"`
	Exclude        []string `help:"Items to leave out." placeholder:"ITEM"`
	ExcludeBought  bool     `help:"Leave out what the visitor bought."`
	ExcludeSeen    bool     `help:"Leave out what the visitor viewed."`
	ExcludeInCart  bool     `help:"Leave out what is in the visitor's cart."`
	MaxPerCategory int32    `help:"Items of one category at the most; 0 is no bound." default:"0" placeholder:"N"`
	Placement      string   `help:"Where the list will be shown." placeholder:"NAME"`
	Explain        bool     `help:"Say why each item is in the list."`
}

type recommendCmd struct {
	User      string `arg:"" optional:"" help:"The visitor's user id; without one, a visitor nobody knows."`
	Anonymous bool   `help:"The id is an anonymous visitor's."`
	choice
	remote
}

// Run prints what is recommended to a visitor.
func (c *recommendCmd) Run(ctx context.Context, out io.Writer) error {
	return c.ask(ctx, func(ctx context.Context, s *shopServer) error {
		request := &attunev1.RecommendRequest{
			Limit: proto.Int32(c.Limit), Filter: c.Filter, Boost: c.Boost, ExcludeItemIds: c.Exclude,
			ExcludeBought: c.ExcludeBought, ExcludeSeen: c.ExcludeSeen, ExcludeInCart: c.ExcludeInCart,
			MaxPerCategory: c.MaxPerCategory, Placement: c.Placement, Explain: c.Explain,
		}
		request.UserId, request.AnonymousId = visitorIDs(c.User, c.Anonymous)
		response, err := s.lists.Recommend(ctx, request)
		return c.printList(ctx, out, s, response, err)
	})
}

// visitorIDs tells which of the two ids of a visitor is given.
func visitorIDs(id string, anonymous bool) (userID, anonymousID string) {
	if anonymous {
		return "", id
	}
	return id, ""
}

// printList prints an answer of the RecommendationService, or returns its error.
func (f form) printList(ctx context.Context, out io.Writer, s *shopServer, response *attunev1.RecommendResponse, err error) error {
	if err != nil {
		return err
	}
	if f.Output == "json" {
		return printJSON(out, response)
	}
	p := &printer{to: out}
	newItemBook(s).list(ctx, p, "", response.GetItems())
	model := response.GetModelVersion()
	if model == "" {
		model = "none"
	}
	p.line("%d items, list %s, model %s", len(response.GetItems()), response.GetRecommendationId(), model)
	if response.GetDegraded() {
		p.line("degraded: what this visitor did could not be read, and is not in the list")
	}
	return p.err
}
