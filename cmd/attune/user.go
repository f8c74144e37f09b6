package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/structpb"

	attunev1 "github.com/attune-shop/attune/gen/attune/v1"
)

type userCmd struct {
	Get    userGetCmd    `cmd:"" help:"Show what is known of a visitor."`
	Events userEventsCmd `cmd:"" help:"List a visitor's events, newest first."`
}

type userGetCmd struct {
	User      string `arg:"" help:"The visitor's user id."`
	Anonymous bool   `help:"The id is an anonymous visitor's."`
	remote
}

// Run prints a visitor's features.
func (c *userGetCmd) Run(ctx context.Context, out io.Writer) error {
	return c.ask(ctx, func(ctx context.Context, s *shopServer) error {
		request := &attunev1.GetUserRequest{}
		request.UserId, request.AnonymousId = visitorIDs(c.User, c.Anonymous)
		user, err := s.users.GetUser(ctx, request)
		if err != nil {
			return err
		}
		if c.Output == "json" {
			return printJSON(out, user)
		}
		p := &printer{to: out}
		printUser(ctx, p, newItemBook(s), user)
		return p.err
	})
}

// recentShown is the number of recent items in the text form.
const recentShown = 10

func printUser(ctx context.Context, p *printer, book *itemBook, u *attunev1.User) {
	name := u.GetUserId()
	if name == "" {
		name = "anonymous"
	}
	p.line("%s %s", plain(name), plain(strings.Join(u.GetAnonymousIds(), " ")))
	p.line("seen from %s to %s", u.GetFirstSeenAt().AsTime().Format(time.RFC3339), u.GetLastSeenAt().AsTime().Format(time.RFC3339))
	rows := []string{"events\t1 day\t7 days\t30 days\t90 days\tall"}
	for _, t := range u.GetTypes() {
		n := t.GetCounts()
		rows = append(rows, fmt.Sprintf("  %s\t%d\t%d\t%d\t%d\t%d", t.GetType(), n.GetD1(), n.GetD7(), n.GetD30(), n.GetD90(), n.GetAll()))
	}
	for _, m := range u.GetSpent() {
		code := m.GetCurrencyCode()
		rows = append(rows, fmt.Sprintf("  spent\t%s\t%s\t%s\t%s\t%s", amount(m.GetD1(), code), amount(m.GetD7(), code),
			amount(m.GetD30(), code), amount(m.GetD90(), code), amount(m.GetAll(), code)))
	}
	p.table("", rows)
	for _, code := range slices.Sorted(maps.Keys(u.GetAverageOrderMinorUnits())) {
		p.line("average purchase %s, last on %s", amount(u.GetAverageOrderMinorUnits()[code], code), u.GetLastPurchaseAt().AsTime().Format(time.DateOnly))
	}
	p.line("categories: %s", shares(u.GetCategoryAffinity()))
	p.line("brands: %s", shares(u.GetBrandAffinity()))
	if all := u.GetTraits(); len(all) > 0 {
		p.line("traits: %s", traits(all))
	}
	if cart := u.GetCartItemIds(); len(cart) > 0 {
		p.line("in the cart: %s", plain(strings.Join(cart, " ")))
	}
	rows = nil
	for i, r := range u.GetRecentItems() {
		if i == recentShown {
			break
		}
		rows = append(rows, fmt.Sprintf("%s\t%s\t%s\t%s", r.GetOccurredAt().AsTime().Format(time.DateTime), r.GetType(),
			plain(r.GetItemId()), plain(book.item(ctx, r.GetItemId()).GetTitle())))
	}
	p.table("  ", rows)
}

// shares writes the five largest shares.
func shares(by map[string]float64) string {
	names := slices.SortedFunc(maps.Keys(by), func(a, b string) int {
		return cmp.Or(cmp.Compare(by[b], by[a]), cmp.Compare(a, b))
	})
	var parts []string
	for _, name := range names[:min(5, len(names))] {
		parts = append(parts, fmt.Sprintf("%s %.0f%%", plain(name), 100*by[name]))
	}
	if len(parts) == 0 {
		return "none known"
	}
	return strings.Join(parts, ", ")
}

// traits writes what was said of a visitor, texts in quotes.
func traits(all map[string]*structpb.Value) string {
	var parts []string
	for _, key := range slices.Sorted(maps.Keys(all)) {
		value := fmt.Sprint(all[key].AsInterface())
		if text, ok := all[key].GetKind().(*structpb.Value_StringValue); ok {
			value = strconv.Quote(text.StringValue)
		}
		parts = append(parts, plain(key)+"="+value)
	}
	return strings.Join(parts, ", ")
}

type userEventsCmd struct {
	User      string `arg:"" help:"The visitor's user id."`
	Anonymous bool   `help:"The id is an anonymous visitor's."`
	Type      string `help:"Only events of this type." placeholder:"TYPE"`
	page
	remote
}

// Run prints a page of a visitor's events.
func (c *userEventsCmd) Run(ctx context.Context, out io.Writer) error {
	return c.ask(ctx, func(ctx context.Context, s *shopServer) error {
		request := &attunev1.ListEventsRequest{PageSize: c.PageSize, PageToken: c.PageToken, Type: c.Type}
		request.UserId, request.AnonymousId = visitorIDs(c.User, c.Anonymous)
		response, err := s.users.ListEvents(ctx, request)
		if err != nil {
			return err
		}
		var rows []string
		for _, e := range response.GetEvents() {
			rows = append(rows, fmt.Sprintf("%s\t%s\t%s\t%s\t%s", e.GetOccurredAt().AsTime().Format(time.DateTime), e.GetType(),
				plain(e.GetEventId()), plain(about(e)), price(e.GetValue())))
		}
		return printPage(out, c.Output, response, rows)
	})
}

// about says in a few words what an event is about.
func about(e *attunev1.Event) string {
	switch lines := e.GetLines(); {
	case e.GetSearchQuery() != "":
		return fmt.Sprintf("%q", e.GetSearchQuery())
	case e.GetItemId() != "" || len(lines) == 0:
		return e.GetItemId()
	case len(lines) == 1:
		return fmt.Sprintf("%d x %s", lines[0].GetQuantity(), lines[0].GetItemId())
	default:
		return fmt.Sprintf("%d x %s and %d more lines", lines[0].GetQuantity(), lines[0].GetItemId(), len(lines)-1)
	}
}
