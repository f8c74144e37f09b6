package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/bojanz/currency"

	attunev1 "github.com/attune-shop/attune/gen/attune/v1"
)

// amount writes minor units of a currency with the digits that it has, as in "12.50 EUR".
func amount(minor int64, code string) string {
	digits, ok := currency.GetDigits(code)
	if !ok {
		return fmt.Sprintf("%d %s minor units", minor, code)
	}
	text := strconv.FormatInt(minor, 10)
	sign := ""
	if minor < 0 {
		sign, text = "-", text[1:]
	}
	if d := int(digits); d > 0 {
		if len(text) <= d {
			text = strings.Repeat("0", d-len(text)+1) + text
		}
		text = text[:len(text)-d] + "." + text[len(text)-d:]
	}
	return sign + text + " " + code
}

// thousands writes a number as in 541,909.
func thousands(n int64) string {
	text := strconv.FormatInt(n, 10)
	for i := len(text) - 3; i > 0 && text[i-1] != '-'; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

// printer writes text and keeps the first error.
type printer struct {
	to  io.Writer
	err error
}

func (p *printer) line(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.to, format+"\n", args...)
	}
}

// table writes rows in columns; cells are parted by tabs.
func (p *printer) table(indent string, rows []string) {
	if p.err != nil {
		return
	}
	w := tabwriter.NewWriter(p.to, 0, 4, 2, ' ', 0)
	for _, row := range rows {
		_, _ = fmt.Fprintf(w, "%s%s\n", indent, row) // told by Flush
	}
	p.err = w.Flush()
}

// plain leaves out what a terminal would take for orders, and what would break a table.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 {
			return ' '
		}
		return r
	}, s)
}

// itemBook looks items up, each once.
type itemBook struct {
	server *shopServer
	known  map[string]*attunev1.Item
}

func newItemBook(s *shopServer) *itemBook {
	return &itemBook{server: s, known: map[string]*attunev1.Item{}}
}

// item returns an item, one without anything but its id where the catalog has none.
func (b *itemBook) item(ctx context.Context, id string) *attunev1.Item {
	if item := b.known[id]; item != nil {
		return item
	}
	item, err := b.server.items.GetItem(ctx, &attunev1.GetItemRequest{ItemId: id})
	if err != nil {
		item = &attunev1.Item{ItemId: id}
	}
	b.known[id] = item
	return item
}

// list prints a list of recommended items with their titles, and their reasons below each.
func (b *itemBook) list(ctx context.Context, p *printer, indent string, items []*attunev1.RecommendedItem) {
	rows := make([]string, len(items))
	for i, entry := range items {
		item := b.item(ctx, entry.GetItemId())
		rows[i] = fmt.Sprintf("%d.\t%s\t%s\t%s\t%s\t%.4g", i+1, plain(entry.GetItemId()), plain(item.GetTitle()),
			price(item.GetPrice()), plain(strings.Join(item.GetCategories(), ", ")), entry.GetScore())
	}
	if !slices.ContainsFunc(items, func(e *attunev1.RecommendedItem) bool { return len(e.GetReasons()) > 0 }) {
		p.table(indent, rows)
		return
	}
	var text strings.Builder
	aligned := printer{to: &text}
	aligned.table(indent, rows)
	for i, line := range strings.Split(strings.TrimSuffix(text.String(), "\n"), "\n") {
		p.line("%s", line)
		if i >= len(items) {
			break
		}
		for _, r := range items[i].GetReasons() {
			p.line("%s      %3.0f%%  %s [%s]", indent, 100*r.GetShare(), plain(r.GetText()), r.GetModel())
		}
	}
}
