package main

import (
	"context"
	"io"
	"strings"
	"time"

	"github.com/attune-shop/attune/cmd/attune/internal/importer"
	"github.com/attune-shop/attune/cmd/attune/internal/shop"
	attunev1 "github.com/attune-shop/attune/gen/attune/v1"
)

// leastKnown is the number of events that a visitor has who is shown.
const leastKnown = 15

// smallExhibit is a shop that the demo makes.
type smallExhibit struct {
	options shop.Options
	shop    *shop.Shop
}

func newSmallExhibit(seed uint64, visitors int) *smallExhibit {
	options := shop.Default()
	options.Seed, options.Visitors = seed, visitors
	return &smallExhibit{options: options, shop: shop.Make(options)}
}

func (x *smallExhibit) end() time.Time { return x.options.Until }

func (x *smallExhibit) load(ctx context.Context, p *printer, s *shopServer) error {
	p.line("\nA small shop: %d items, %d people, %s events of %d days", len(x.shop.Items), len(x.shop.People), thousands(int64(len(x.shop.Events))), x.options.Days)
	stored, rejected, err := storeItems(ctx, s, x.shop.Items)
	if err != nil {
		return err
	}
	began := time.Now()
	report, err := importer.Deliver(ctx, s.events, &madeEvents{left: x.shop.Events}, importer.Options{BatchSize: 500, Window: 8, Patience: time.Minute})
	if err != nil {
		return err
	}
	took := time.Since(began)
	p.line("  items: %d stored, %d rejected", stored, rejected)
	p.line("  events: %s accepted, %s duplicate, %s rejected, in %v", thousands(report.Accepted.Events), thousands(report.Duplicate.Events),
		thousands(report.Rejected.Events), took.Round(time.Millisecond))
	return p.err
}

func (x *smallExhibit) lists(ctx context.Context, p *printer, s *shopServer) (user, item string, err error) {
	book := newItemBook(s)
	for _, person := range x.threePeople() {
		if person.UserID != "" {
			user = person.UserID
			p.line("\n%s, made to like %s, in a %s style", person.UserID, strings.Join(person.Favourites, ", "), person.Style)
			err = printVisitor(ctx, p, s, book, person.UserID, "")
		} else {
			p.line("\n%s, who never logged in, made to like %s, in a %s style", person.AnonymousID, strings.Join(person.Favourites, ", "), person.Style)
			err = printVisitor(ctx, p, s, book, "", person.AnonymousID)
		}
		if err != nil {
			return "", "", err
		}
	}
	return user, x.shop.Items[0].GetItemId(), nil
}

// threePeople chooses two known visitors of different departments and one who never logged
// in, all of whom did enough to show.
func (x *smallExhibit) threePeople() []shop.Person {
	events := map[string]int{}
	for _, e := range x.shop.Events {
		if e.GetUserId() != "" {
			events[e.GetUserId()]++
		} else {
			events[e.GetAnonymousId()]++
		}
	}
	var known []shop.Person
	var unknown []shop.Person
	for _, person := range x.shop.People {
		switch {
		case person.UserID == "":
			if len(unknown) == 0 && events[person.AnonymousID] >= leastKnown {
				unknown = append(unknown, person)
			}
		case events[person.UserID] < leastKnown:
		case len(known) == 0, len(known) == 1 && department(person) != department(known[0]):
			known = append(known, person)
		}
	}
	return append(known, unknown...)
}

func department(person shop.Person) string {
	name, _, _ := strings.Cut(person.Favourites[0], " > ")
	return name
}

// madeEvents are events that no file holds, as a source; each counts as a line.
type madeEvents struct {
	left  []*attunev1.Event
	lines int64
}

// Next implements importer.Source.
func (m *madeEvents) Next() (importer.Record, error) {
	if len(m.left) == 0 {
		return importer.Record{}, io.EOF
	}
	e := m.left[0]
	m.left = m.left[1:]
	m.lines++
	return importer.Record{Event: e, Lines: 1}, nil
}

// Lines implements importer.Source.
func (m *madeEvents) Lines() int64 { return m.lines }

// Skipped implements importer.Source.
func (m *madeEvents) Skipped() []importer.Reason { return nil }

// Items implements importer.Source.
func (m *madeEvents) Items() []*attunev1.Item { return nil }
