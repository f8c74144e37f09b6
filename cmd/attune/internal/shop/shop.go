// Package shop makes a small shop: a catalog, visitors with tastes, and months of what
// they did. The same seed and the same end make the same shop.
package shop

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	attunev1 "github.com/attune-shop/attune/gen/attune/v1"
)

// Days is how long before its end the shop opened.
const Days = 120

// Shop is a shop and its past.
type Shop struct {
	Items []*attunev1.Item
	// Events are in the order of time.
	Events []*attunev1.Event
	// Faces are three visitors worth showing: one of many visits, one who wandered from
	// one taste to another, and an anonymous one.
	Faces []Face
}

// Face is a visitor to show.
type Face struct {
	UserID, AnonymousID, About string
}

type shelf struct {
	path  string
	nouns []string
}

var shelves = []shelf{
	{"Home > Lighting", []string{"Table Lamp", "Floor Lamp", "Pendant", "Lantern", "Candle Holder"}},
	{"Home > Textiles", []string{"Throw", "Cushion", "Rug", "Curtain", "Tablecloth"}},
	{"Kitchen > Cookware", []string{"Saucepan", "Casserole", "Skillet", "Roasting Tin", "Wok"}},
	{"Kitchen > Tableware", []string{"Dinner Plate", "Bowl", "Mug", "Teapot", "Carafe"}},
	{"Garden > Planting", []string{"Planter", "Watering Can", "Seed Box", "Trellis", "Trowel"}},
	{"Garden > Outdoor Living", []string{"Hammock", "Fire Bowl", "Folding Chair", "Parasol", "Picnic Basket"}},
	{"Office > Writing", []string{"Notebook", "Fountain Pen", "Pencil Set", "Desk Pad", "Letter Tray"}},
	{"Children > Play", []string{"Wooden Train", "Puzzle", "Kite", "Building Blocks", "Puppet"}},
}

var (
	looks  = []string{"Oak", "Linen", "Brass", "Stoneware", "Walnut", "Copper", "Wool", "Glass"}
	brands = []string{"Harrow & Finch", "Nordlys", "Casa Lume", "Bramble", "Atelier Nine", "Kestrel"}
)

// New makes the shop that lasts until end, with so many visitors.
func New(seed uint64, end time.Time, visitors int) *Shop {
	m := &maker{random: rand.New(rand.NewPCG(seed, 0x5a0b)), end: end.UTC().Truncate(time.Second), byShelf: make([][]*attunev1.Item, len(shelves))}
	m.stock()
	for v := range visitors {
		m.visitor(v)
	}
	slices.SortStableFunc(m.shop.Events, func(a, b *attunev1.Event) int {
		return a.GetOccurredAt().AsTime().Compare(b.GetOccurredAt().AsTime())
	})
	m.shop.Faces = []Face{
		{UserID: visitorID(0), About: "comes often"},
		{UserID: visitorID(1), About: "changed taste of late"},
		{AnonymousID: deviceID(2), About: "has never logged in"},
	}
	return &m.shop
}

type maker struct {
	random  *rand.Rand
	end     time.Time
	shop    Shop
	byShelf [][]*attunev1.Item
	events  int
}

// stock fills the shelves: every noun in every look.
func (m *maker) stock() {
	for s, shelf := range shelves {
		for _, noun := range shelf.nouns {
			for l, look := range looks {
				title := look + " " + noun
				item := &attunev1.Item{
					ItemId:       strings.ToLower(strings.ReplaceAll(title, " ", "-")),
					Title:        title,
					Categories:   []string{shelf.path},
					Brand:        brands[(s+l)%len(brands)],
					Price:        &attunev1.Money{CurrencyCode: "EUR", MinorUnits: int64(590 + 100*m.random.IntN(120))},
					Availability: attunev1.Availability_IN_STOCK,
				}
				if m.random.IntN(40) == 0 {
					item.Availability = attunev1.Availability_OUT_OF_STOCK
				}
				m.shop.Items = append(m.shop.Items, item)
				m.byShelf[s] = append(m.byShelf[s], item)
			}
		}
	}
}

func visitorID(v int) string { return fmt.Sprintf("visitor-%03d", v) }
func deviceID(v int) string  { return fmt.Sprintf("device-%03d", v) }

// visit is one visitor's session under way.
type visit struct {
	user, device, session string
	at                    time.Time
}

// visitor lets one visitor come again and again: a third never log in, and the others
// look around before they do.
func (m *maker) visitor(v int) {
	tastes := []int{m.random.IntN(len(shelves)), m.random.IntN(len(shelves))}
	look := m.random.IntN(len(looks))
	visits := 2 + m.random.IntN(14)
	if v == 0 {
		visits = 30
	}
	for n := range visits {
		at := m.end.Add(-time.Duration(m.random.Int64N(int64(Days * 24 * time.Hour))))
		now := visit{device: deviceID(v), session: fmt.Sprintf("session-%03d-%02d", v, n), at: at}
		if v%3 != 2 && n > 0 {
			now.user = visitorID(v)
		}
		taste := tastes[m.random.IntN(2)]
		if v == 1 && m.end.Sub(at) < 20*24*time.Hour {
			taste = (tastes[0] + 4) % len(shelves)
		}
		m.session(&now, taste, look)
	}
}

// session is a search, some views, perhaps a cart, an order and, rarely, its return.
func (m *maker) session(v *visit, taste, look int) {
	if m.random.IntN(4) == 0 {
		nouns := shelves[taste].nouns
		m.add(v, &attunev1.Event{Type: "search", SearchQuery: strings.ToLower(nouns[m.random.IntN(len(nouns))])})
	}
	var basket []*attunev1.Item
	for range 2 + m.random.IntN(6) {
		item := m.pick(taste, look)
		m.add(v, &attunev1.Event{Type: "view_item", ItemId: item.GetItemId(), Placement: "product_page"})
		switch m.random.IntN(6) {
		case 0:
			m.add(v, &attunev1.Event{Type: "add_to_wishlist", ItemId: item.GetItemId()})
		case 1, 2:
			m.add(v, &attunev1.Event{Type: "add_to_cart", ItemId: item.GetItemId()})
			basket = append(basket, item)
		}
	}
	if len(basket) == 0 || m.random.IntN(3) == 0 {
		return
	}
	order := &attunev1.Event{Type: "purchase"}
	for _, item := range basket {
		order.Lines = append(order.Lines, &attunev1.Line{ItemId: item.GetItemId(), Quantity: proto.Int64(1 + m.random.Int64N(3)), Price: item.GetPrice()})
	}
	m.add(v, order)
	if m.random.IntN(15) == 0 {
		v.at = v.at.Add(time.Duration(m.random.Int64N(int64(72 * time.Hour))))
		m.add(v, &attunev1.Event{Type: "refund", Lines: order.GetLines()[:1]})
	}
}

// pick draws an item: mostly from the taste's shelf, and there mostly in the liked look.
func (m *maker) pick(taste, look int) *attunev1.Item {
	if m.random.IntN(6) == 0 {
		return m.shop.Items[m.random.IntN(len(m.shop.Items))]
	}
	shelf := m.byShelf[taste]
	if m.random.IntN(2) == 0 {
		nouns := len(shelf) / len(looks)
		return shelf[m.random.IntN(nouns)*len(looks)+look]
	}
	return shelf[m.random.IntN(len(shelf))]
}

// add completes an event and moves the visit's time on. Nothing happens after the end.
func (m *maker) add(v *visit, e *attunev1.Event) {
	v.at = v.at.Add(time.Duration(10+m.random.IntN(170)) * time.Second)
	if v.at.After(m.end) {
		return
	}
	m.events++
	e.EventId = fmt.Sprintf("demo-%06d", m.events)
	e.UserId, e.AnonymousId, e.SessionId = v.user, v.device, v.session
	e.OccurredAt = timestamppb.New(v.at)
	m.shop.Events = append(m.shop.Events, e)
}
