package rank

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"unicode"

	"github.com/cespare/xxhash/v2"

	"github.com/attune-shop/attune/model/event"
)

const (
	// bridgeShare bounds newcomers to one in so many items of a list, one at the least.
	bridgeShare = 5
	// bridgeEvery is the distance of their places; the first is the fifth of a list.
	bridgeEvery = 6
	// titleWords bounds the words of a title that count as traits.
	titleWords = 8
)

// Content is an index of the catalog by what items are: categories and those above them,
// brands, words of titles, which are called traits. It is immutable.
type Content struct {
	// ids are the items, the newest on offer first; places are the reverse.
	ids    []string
	places map[string]int32
	// hashes are those of the ids.
	hashes []uint64
	// model is the one that the index was made with; rows are the places of its items, -1
	// where the catalog has none.
	model Model
	rows  []int32
	// numbers are those of traits; the traits of item i are traits[ends[i]:ends[i+1]], and
	// roots[i] is the root of the sum of their values.
	numbers map[string]int32
	traits  []int32
	ends    []int32
	roots   []float64
	// values say how much each trait tells: log(1 + N/n) / log(1 + N) for one that n of N
	// items have.
	values []float64
	// all and fresh list the items of each trait; fresh only those that the model does not know.
	all, fresh [][]int32
	// newcomers says that there are items that the model does not know.
	newcomers bool
	covers    bool
}

// NewContent indexes a catalog; model may be nil. O(items).
func NewContent(catalog Catalog, model Model) *Content {
	items := make([]*event.Item, 0, catalog.Len())
	catalog.Each(func(i *event.Item) bool {
		items = append(items, i)
		return true
	})
	slices.SortFunc(items, func(a, b *event.Item) int {
		return cmp.Or(b.AvailableFrom.Compare(a.AvailableFrom), strings.Compare(a.ID, b.ID))
	})
	c := &Content{places: make(map[string]int32, len(items)), numbers: map[string]int32{}, ends: make([]int32, 1, len(items)+1), model: model}
	if model != nil {
		c.rows = slices.Repeat([]int32{-1}, model.Items())
	}
	modelled := 0
	for at, item := range items {
		known := false
		if model != nil {
			var row int32
			if row, known = model.Index(item.ID); known {
				c.rows[row] = int32(at)
				modelled++
			}
		}
		c.add(item, known)
	}
	total := float64(len(items))
	c.values = make([]float64, len(c.all))
	for t, list := range c.all {
		c.values[t] = math.Log1p(total/float64(len(list))) / math.Log1p(total)
	}
	c.roots = make([]float64, len(c.ids))
	for i := range c.roots {
		c.roots[i] = math.Sqrt(c.worth(c.traitsAt(int32(i))))
	}
	c.covers = len(items) > 0 && (model == nil || 2*modelled >= model.Items())
	return c
}

func (c *Content) add(item *event.Item, known bool) {
	at := int32(len(c.ids))
	for _, name := range traitsOf(item) {
		t, ok := c.numbers[name]
		if !ok {
			t = int32(len(c.all))
			c.numbers[name] = t
			c.all, c.fresh = append(c.all, nil), append(c.fresh, nil)
		}
		c.traits = append(c.traits, t)
		c.all[t] = append(c.all[t], at)
		if !known {
			c.fresh[t] = append(c.fresh[t], at)
			c.newcomers = true
		}
	}
	c.ids, c.hashes = append(c.ids, item.ID), append(c.hashes, xxhash.Sum64String(item.ID))
	c.places[item.ID], c.ends = at, append(c.ends, int32(len(c.traits)))
}

// worth is the sum of the traits' values.
func (c *Content) worth(traits []int32) float64 {
	sum := 0.0
	for _, t := range traits {
		sum += c.values[t]
	}
	return sum
}

// complete tells whether the catalog can be taken for all that the shop offers, so that an
// item which is not in it was deleted: it holds at least half of what the model knows.
// Otherwise the shop streams events ahead of a catalog, or without one.
func (c *Content) complete(s *Shop) bool {
	return c != nil && c.covers && s.Catalog.Len() > 0
}

// traitsOf lists what an item is, each once.
func traitsOf(item *event.Item) []string {
	traits := make([]string, 0, 8)
	add := func(kind, value string) {
		if t := kind + strings.ToLower(value); value != "" && !slices.Contains(traits, t) {
			traits = append(traits, t)
		}
	}
	for _, path := range item.Categories {
		for end := 0; end < len(path); {
			next := strings.Index(path[end:], pathSeparator)
			if next < 0 {
				add("c:", path)
				break
			}
			add("c:", path[:end+next])
			end += next + len(pathSeparator)
		}
	}
	add("b:", item.Brand)
	words := 0
	for word := range strings.FieldsFuncSeq(item.Title, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }) {
		if len(word) < 3 {
			continue
		}
		if words++; words > titleWords {
			break
		}
		add("w:", word)
	}
	return traits
}

// traitsAt are the traits of the item at a place.
func (c *Content) traitsAt(at int32) []int32 { return c.traits[c.ends[at]:c.ends[at+1]] }

// traitsNow are the traits of an item as it is now.
func (c *Content) traitsNow(catalog Catalog, itemID string) []int32 {
	if at, ok := c.places[itemID]; ok {
		return c.traitsAt(at)
	}
	item, ok := catalog.Item(itemID)
	if !ok {
		return nil
	}
	var traits []int32
	for _, name := range traitsOf(item) {
		if t, ok := c.numbers[name]; ok {
			traits = append(traits, t)
		}
	}
	return traits
}

// traitsOfInterest is traitsNow, without a look-up where the model's number of the item leads
// to them.
func (c *Content) traitsOfInterest(shop *Shop, i *interest) []int32 {
	if i.row >= 0 && c.model == shop.Model && c.rows[i.row] >= 0 {
		return c.traitsAt(c.rows[i.row])
	}
	return c.traitsNow(shop.Catalog, i.itemID)
}

// between is the cosine of two items, 0 to 1.
func (c *Content) between(a, b []int32) float64 {
	hit := 0.0
	for _, t := range a {
		if slices.Contains(b, t) {
			hit += c.values[t]
		}
	}
	if hit == 0 {
		return 0
	}
	return hit / math.Sqrt(c.worth(a)*c.worth(b))
}

// catalogue gives the whole catalog, the newest on offer first.
type catalogue struct {
	content *Content
	at      int
}

func (s *catalogue) next() (candidate, bool) {
	if s.content == nil || s.at >= len(s.content.ids) {
		return candidate{}, false
	}
	s.at++
	return candidate{
		id: s.content.ids[s.at-1], score: 1 / float64(s.at), from: fromCatalog, cause: -1, row: -1,
	}, true
}
