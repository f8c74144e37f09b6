package importer

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	attunev1 "github.com/attune-shop/attune/gen/attune/v1"
)

// products learns the catalog from sales: of each code the title written most often, and
// the median price over its lines.
type products map[string]*product

type product struct {
	titles map[string]int
	prices map[int64]int
	sales  int
}

func (p products) add(line *retailLine) {
	known := p[line.code]
	if known == nil {
		known = &product{titles: map[string]int{}, prices: map[int64]int{}}
		p[line.code] = known
	}
	known.titles[line.title]++
	known.prices[line.pence]++
	known.sales++
}

func (p products) items() []*attunev1.Item {
	out := make([]*attunev1.Item, 0, len(p))
	for _, code := range slices.Sorted(maps.Keys(p)) {
		title := p[code].title()
		item := &attunev1.Item{
			ItemId: code, Title: title,
			Price: &attunev1.Money{CurrencyCode: retailCurrency, MinorUnits: p[code].median()},
		}
		if category := retailCategory(title); category != "" {
			item.Categories = []string{category}
		}
		out = append(out, item)
	}
	return out
}

// title returns the one written most often, of several the first in the alphabet.
func (p *product) title() string {
	return slices.MaxFunc(slices.Collect(maps.Keys(p.titles)), func(a, b string) int {
		return cmp.Or(cmp.Compare(p.titles[a], p.titles[b]), strings.Compare(b, a))
	})
}

// median returns the lower median of the prices.
func (p *product) median() int64 {
	prices := slices.Sorted(maps.Keys(p.prices))
	below := 0
	for _, price := range prices {
		if below += p.prices[price]; 2*below >= p.sales {
			return price
		}
	}
	return 0
}

// retailCategories say which words in a title put a product into which category; the
// first category with a word of the title counts. The data set has no categories of its own.
var retailCategories = []struct{ category, words string }{
	{"Christmas", "CHRISTMAS XMAS ADVENT SANTA REINDEER SNOWFLAKE SNOWMAN NOEL"},
	{"Easter", "EASTER"},
	{"Party", "BUNTING PARTY BALLOON BALLOONS GARLAND BIRTHDAY CONFETTI NAPKINS PAPERCHAIN"},
	{"Bags > Lunch bags", "LUNCH"},
	{"Bags", "BAG BAGS SHOPPER HANDBAG PURSE SUITCASE LUGGAGE TOTE"},
	{"Jewellery", "NECKLACE BRACELET EARRINGS RING BROOCH CHARM BANGLE PENDANT HAIRCLIP HAIR"},
	{"Clocks", "CLOCK CLOCKS WATCH"},
	{"Lighting > Candles", "CANDLE CANDLES T-LIGHT T-LIGHTS TEALIGHT CANDLEHOLDER CANDLESTICK INCENSE VOTIVE"},
	{"Lighting", "LIGHT LIGHTS LAMP LANTERN LAMPSHADE CHANDELIER"},
	{"Kitchen > Tea", "TEACUP TEAPOT TEA MUG MUGS CUP CUPS SAUCER COFFEE COASTER COASTERS TEACUPS"},
	{"Kitchen > Baking", "CAKE CAKESTAND CAKES BAKING MEASURING JELLY MOULD MOULDS RECIPE SPATULA"},
	{"Kitchen", "BOWL BOWLS PLATE PLATES TRAY JAR JARS BOTTLE CUTLERY KITCHEN APRON TINS TIN JUG EGG OVEN SPOON SPOONS " +
		"GLASS PANTRY BREAD POT TOWEL TOWELS CASES SNACK STRAWS"},
	{"Stationery > Cards and wrap", "CARD CARDS WRAP RIBBON RIBBONS ENVELOPE POSTCARD GIFT"},
	{"Stationery", "NOTEBOOK PAPER PENCIL PENCILS PEN PENS JOURNAL STICKER STICKERS TAPE CHALK ERASER ERASERS RULER BOOK STAMP"},
	{"Garden", "GARDEN PLANT PLANTER WATERING PARASOL HERB BIRDHOUSE FEEDER TROWEL THERMOMETER"},
	{"Home > Textiles", "CUSHION CUSHIONS DOORMAT QUILT THROW RUG BLANKET WARMER"},
	{"Home > Storage", "BOX BOXES DRAWER CABINET BASKET BASKETS HOOK HOOKS HANGER RACK SHELF HOLDER STORAGE KNOB"},
	{"Home > Wall", "FRAME MIRROR SIGN WALL CHALKBOARD BLACKBOARD MEMOBOARD PICTURE PHOTO LETTER LETTERS BLOCK"},
	{"Toys and games", "DOLL DOLLY TOY TOYS GAME GAMES PUZZLE SKITTLES BLOCKS SOLDIER CHILDRENS CHILDS KIT PLAYHOUSE DOMINOES"},
	{"Home > Decoration", "DECORATION ORNAMENT HEART HEARTS WREATH FLOWER FLOWERS BIRD BUTTERFLY VASE STAR BELL BELLS"},
}

// wordCategories is retailCategories by word: the first category's place.
var wordCategories = func() map[string]int {
	out := map[string]int{}
	for i, c := range retailCategories {
		for _, word := range strings.Fields(c.words) {
			if _, known := out[word]; !known {
				out[word] = i
			}
		}
	}
	return out
}()

// retailCategory returns the category that a title tells, empty where it tells none.
func retailCategory(title string) string {
	first := len(retailCategories)
	for _, word := range strings.FieldsFunc(strings.ToUpper(title), func(r rune) bool {
		return r != '-' && (r < 'A' || r > 'Z')
	}) {
		if at, ok := wordCategories[word]; ok {
			first = min(first, at)
		}
	}
	if first == len(retailCategories) {
		return ""
	}
	return retailCategories[first].category
}
