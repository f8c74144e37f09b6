package shop

import (
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	attunev1 "github.com/attune-shop/attune/gen/attune/v1"
)

// shelf is one category of the shop and what it holds.
type shelf struct {
	category string
	// nouns name the things; search is what people type who want one.
	nouns  []string
	search string
	brands []string
	// low and high bound the price, in cents.
	low, high int64
	// beside is the category bought along most, by its place in shelves.
	beside int
}

// shelves are the shop's categories. Neighbours in a department are bought together.
var shelves = []shelf{
	{"Kitchen > Coffee", []string{"French Press", "Pour-Over Dripper", "Hand Grinder", "Espresso Cup Set", "Gooseneck Kettle"}, "coffee", []string{"Brewhaus", "Northbrook"}, 1200, 9900, 1},
	{"Kitchen > Tea", []string{"Teapot", "Tea Caddy", "Matcha Whisk", "Tea Strainer", "Mug"}, "tea", []string{"Brewhaus", "Hoji & Daughters"}, 700, 5400, 0},
	{"Kitchen > Baking", []string{"Cake Tin", "Mixing Bowl", "Rolling Pin", "Bread Basket", "Cookie Cutter Set"}, "baking", []string{"Old Mill", "Northbrook"}, 500, 4500, 3},
	{"Kitchen > Knives and boards", []string{"Chef's Knife", "Cutting Board", "Paring Knife", "Knife Block", "Sharpening Stone"}, "knife", []string{"Solling", "Northbrook"}, 1500, 17900, 2},
	{"Lighting > Table lamps", []string{"Desk Lamp", "Bedside Lamp", "Mushroom Lamp", "Reading Light"}, "lamp", []string{"Lumen & Co", "Fjordlys"}, 2900, 18900, 5},
	{"Lighting > Pendants", []string{"Pendant Light", "Globe Pendant", "Paper Shade", "Dome Pendant"}, "pendant", []string{"Lumen & Co", "Fjordlys"}, 3900, 24900, 4},
	{"Lighting > Candles", []string{"Pillar Candle", "Candle Holder", "Lantern", "Scented Candle"}, "candle", []string{"Wick & Tallow", "Fjordlys"}, 600, 4900, 4},
	{"Garden > Pots", []string{"Planter", "Hanging Pot", "Window Box", "Herb Trough"}, "planter", []string{"Terra Nova", "Greenway"}, 900, 8900, 8},
	{"Garden > Tools", []string{"Hand Trowel", "Pruning Shears", "Watering Can", "Garden Fork", "Kneeling Pad"}, "garden tools", []string{"Greenway", "Solling"}, 900, 6900, 7},
	{"Garden > Seeds", []string{"Wildflower Seeds", "Tomato Seeds", "Basil Seeds", "Sunflower Seeds", "Lettuce Seeds"}, "seeds", []string{"Greenway", "Bloomfield"}, 250, 900, 7},
	{"Textiles > Cushions", []string{"Cushion", "Floor Cushion", "Bolster", "Seat Pad"}, "cushion", []string{"Loom House", "Marisol"}, 1500, 7900, 11},
	{"Textiles > Throws", []string{"Throw", "Blanket", "Quilt", "Bedspread"}, "blanket", []string{"Loom House", "Marisol"}, 3500, 15900, 10},
	{"Textiles > Bed linen", []string{"Duvet Cover", "Pillowcase Pair", "Fitted Sheet", "Bath Towel"}, "bed linen", []string{"Marisol", "Cotton Row"}, 1900, 12900, 11},
	{"Desk > Notebooks", []string{"Notebook", "Sketchbook", "Weekly Planner", "Pocket Journal"}, "notebook", []string{"Inkwell", "Paper Plane"}, 600, 3400, 14},
	{"Desk > Pens", []string{"Fountain Pen", "Rollerball", "Brush Pen Set", "Mechanical Pencil"}, "pen", []string{"Inkwell", "Kuretsu"}, 400, 8900, 13},
	{"Desk > Organisers", []string{"Desk Tray", "Pen Pot", "Letter Rack", "Cable Box"}, "desk organiser", []string{"Paper Plane", "Fjordlys"}, 900, 5900, 13},
	{"Outdoors > Bottles", []string{"Water Bottle", "Thermos Flask", "Travel Mug", "Hip Flask"}, "bottle", []string{"Ridgeway", "Northbrook"}, 1200, 4900, 17},
	{"Outdoors > Backpacks", []string{"Day Pack", "Rolltop Backpack", "Sling Bag", "Duffel"}, "backpack", []string{"Ridgeway", "Alder & Ash"}, 3900, 18900, 16},
	{"Outdoors > Camping", []string{"Camp Stove", "Enamel Plate Set", "Hammock", "Picnic Rug", "Head Torch"}, "camping", []string{"Ridgeway", "Alder & Ash"}, 1500, 13900, 17},
}

// styles are what choices have in common across categories, and the words that show them.
var styles = []struct {
	name  string
	words []string
}{
	{"plain", []string{"Oak", "White", "Linen", "Ash Grey", "Birch", "Pale Stone"}},
	{"rustic", []string{"Walnut", "Terracotta", "Enamel", "Olive", "Copper", "Rattan"}},
	{"bold", []string{"Cobalt", "Mustard", "Coral", "Emerald", "Striped", "Checkerboard"}},
	{"vintage", []string{"Brass", "Floral", "Scalloped", "Rose", "Ivory", "Amber Glass"}},
}

// good is an item and what only the shop's makers know of it.
type good struct {
	item  *attunev1.Item
	shelf int
	style int
	// appeal is how often it is chosen beside others as fitting.
	appeal float64
	// companion is the place of the item that goes with it best.
	companion int
}

type goods struct {
	all []*good
	// on are the places in all of what is on each shelf.
	on [][]int
}

// newFor is how long the newest items of the shop are on offer. Nobody has seen them yet.
const newFor = 3 * 24 * time.Hour

// makeGoods makes n items, spread over the shelves. Where there are enough, the last on
// each shelf is new.
func makeGoods(random *rand.Rand, n int, until time.Time) *goods {
	g := &goods{on: make([][]int, len(shelves))}
	titles := map[string]bool{}
	n = max(n, len(shelves))
	for i := range n {
		at := i % len(shelves)
		g.on[at] = append(g.on[at], len(g.all))
		one := makeGood(random, i, at, titles)
		if n >= 4*len(shelves) && i >= n-len(shelves) {
			one.appeal = 0
			one.item.AvailableFrom = timestamppb.New(until.Add(-newFor))
			one.item.Availability = attunev1.Availability_IN_STOCK
		}
		g.all = append(g.all, one)
	}
	for _, one := range g.all {
		one.companion = g.companionOf(random, one)
	}
	return g
}

func makeGood(random *rand.Rand, i, at int, titles map[string]bool) *good {
	s := &shelves[at]
	one := &good{shelf: at, style: random.IntN(len(styles)), appeal: math.Exp(0.9 * random.NormFloat64())}
	noun := s.nouns[i/len(shelves)%len(s.nouns)]
	words := styles[one.style].words
	brand := s.brands[random.IntN(len(s.brands))]
	title := fmt.Sprintf("%s %s", words[random.IntN(len(words))], noun)
	for k := 2; titles[title]; k++ {
		title = fmt.Sprintf("%s %s No. %d", words[random.IntN(len(words))], noun, k)
	}
	titles[title] = true
	// Prices are spread evenly by their logarithm, and end in 90 or 50.
	price := int64(float64(s.low) * math.Pow(float64(s.high)/float64(s.low), random.Float64()))
	price = max(price/100*100-10, s.low)
	one.item = &attunev1.Item{
		ItemId: fmt.Sprintf("item-%03d", i+1), Title: title, Categories: []string{s.category}, Brand: brand,
		Price:        &attunev1.Money{CurrencyCode: "EUR", MinorUnits: price},
		Availability: attunev1.Availability_IN_STOCK,
		PageUrl:      fmt.Sprintf("https://shop.example/items/%03d", i+1),
	}
	if random.IntN(40) == 0 {
		one.item.Availability = attunev1.Availability_OUT_OF_STOCK
	}
	return one
}

// companionOf chooses an item of the neighbouring category, of the same style if there is one.
func (g *goods) companionOf(random *rand.Rand, one *good) int {
	beside := g.on[shelves[one.shelf].beside]
	weights := make([]float64, len(beside))
	for i, place := range beside {
		weights[i] = g.all[place].appeal
		if g.all[place].style == one.style {
			weights[i] *= 8
		}
	}
	return beside[pick(random, weights)]
}
