// Package shop makes a small shop to show Attune with: a catalog, visitors with tastes, and
// months of what they did. The same options give the same shop, byte for byte.
package shop

import (
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	attunev1 "github.com/attune-shop/attune/gen/attune/v1"
)

// Options say how large the shop is.
type Options struct {
	Seed uint64
	// Items is the number of items, at least one a category.
	Items int
	// Visitors is the number of people.
	Visitors int
	// Until is just after the last event; events go back Days from there.
	Until time.Time
	Days  int
}

// Default is the shop of attune demo.
func Default() Options {
	return Options{Seed: 1, Items: 320, Visitors: 400, Until: time.Date(2026, 5, 31, 20, 0, 0, 0, time.UTC), Days: 120}
}

// Shop is what was made.
type Shop struct {
	// Items are in the order of their ids.
	Items []*attunev1.Item
	// Events are in the order of time.
	Events []*attunev1.Event
	// People are those who visit, in the order of their names.
	People []Person
}

// Person is a visitor and what the shop's makers know of the visitor's taste. The events
// of Person are under UserID, and under AnonymousID before the first log-in.
type Person struct {
	// UserID is empty for somebody who never logs in.
	UserID      string
	AnonymousID string
	// Favourites are category paths, the best liked first.
	Favourites []string
	// Style is what the visitor's choices have in common across categories.
	Style string
}

// Make makes a shop. It takes time and memory proportional to the visitors.
func Make(options Options) *Shop {
	random := rand.New(rand.NewPCG(options.Seed, 0x5ca1ab1e))
	goods := makeGoods(random, options.Items, options.Until)
	s := &Shop{}
	for _, g := range goods.all {
		s.Items = append(s.Items, g.item)
	}
	for i := range options.Visitors {
		v := makeVisitor(random, goods, i)
		s.People = append(s.People, v.person)
		s.Events = append(s.Events, v.history(random, goods, options)...)
	}
	slices.SortFunc(s.Events, func(a, b *attunev1.Event) int {
		if c := a.GetOccurredAt().AsTime().Compare(b.GetOccurredAt().AsTime()); c != 0 {
			return c
		}
		return strings.Compare(a.GetEventId(), b.GetEventId())
	})
	return s
}

// pick returns a place with a chance proportional to its weight, the last where all are 0.
func pick(random *rand.Rand, weights []float64) int {
	total := 0.0
	for _, w := range weights {
		total += w
	}
	at := random.Float64() * total
	for i, w := range weights {
		if at -= w; at < 0 {
			return i
		}
	}
	return len(weights) - 1
}
