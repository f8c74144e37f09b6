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
	// bridgeCandidates bounds the newcomers of a list.
	bridgeCandidates = 64
	// profileInterests bounds the interests, the strongest ones, that make a profile.
	profileInterests = 32
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
	// numbers are those of traits; traits are those of each item, roots the root of the sum
	// of their values.
	numbers map[string]int32
	traits  [][]int32
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
	c := &Content{places: make(map[string]int32, len(items)), numbers: map[string]int32{}}
	modelled := 0
	for _, item := range items {
		known := false
		if model != nil {
			_, known = model.Index(item.ID)
		}
		if known {
			modelled++
		}
		c.add(item, known)
	}
	total := float64(len(items))
	c.values = make([]float64, len(c.all))
	for t, list := range c.all {
		c.values[t] = math.Log1p(total/float64(len(list))) / math.Log1p(total)
	}
	c.roots = make([]float64, len(c.ids))
	for i, traits := range c.traits {
		c.roots[i] = math.Sqrt(c.worth(traits))
	}
	c.covers = len(items) > 0 && (model == nil || 2*modelled >= model.Items())
	return c
}

func (c *Content) add(item *event.Item, known bool) {
	at := int32(len(c.ids))
	names := traitsOf(item)
	traits := make([]int32, len(names))
	for i, name := range names {
		t, ok := c.numbers[name]
		if !ok {
			t = int32(len(c.all))
			c.numbers[name] = t
			c.all, c.fresh = append(c.all, nil), append(c.fresh, nil)
		}
		traits[i] = t
		c.all[t] = append(c.all[t], at)
		if !known {
			c.fresh[t] = append(c.fresh[t], at)
			c.newcomers = true
		}
	}
	c.ids, c.hashes = append(c.ids, item.ID), append(c.hashes, xxhash.Sum64String(item.ID))
	c.places[item.ID], c.traits = at, append(c.traits, traits)
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

// traitsNow are the traits of an item as it is now.
func (c *Content) traitsNow(catalog Catalog, itemID string) []int32 {
	if at, ok := c.places[itemID]; ok {
		return c.traits[at]
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

// profile is how much a visitor cares for each trait.
type profile struct {
	// share is by trait, at most 1; traits are those in which it is not 0.
	share  []float64
	traits []int32
	// root is that of the sum of share x value.
	root float64
}

// profileOf makes p the traits of what the visitor showed interest in, as shares.
func (c *Content) profileOf(p *profile, catalog Catalog, interests []interest) {
	for _, t := range p.traits {
		p.share[t] = 0
	}
	p.traits = p.traits[:0]
	if len(p.share) < len(c.values) {
		p.share = make([]float64, len(c.values))
	}
	sum := 0.0
	for _, i := range interests[:min(len(interests), profileInterests)] {
		traits := c.traitsNow(catalog, i.itemID)
		if len(traits) == 0 {
			continue
		}
		sum += i.weight
		for _, t := range traits {
			if p.share[t] == 0 {
				p.traits = append(p.traits, t)
			}
			p.share[t] += i.weight
		}
	}
	p.root = 0
	for _, t := range p.traits {
		p.share[t] /= sum
		p.root += p.share[t] * c.values[t]
	}
	p.root = math.Sqrt(p.root)
}

// hit is what an item's traits have in common with the profile:
//
//	sum over the item's traits of share(t) value(t)
//
// Divided by the profile's root and the item's it is their cosine, weighted by the values.
func (c *Content) hit(p *profile, traits []int32) float64 {
	sum := 0.0
	for _, t := range traits {
		sum += p.share[t] * c.values[t]
	}
	return sum
}

// likeness is the cosine of an item and the profile, 0 to 1.
func (c *Content) likeness(p *profile, catalog Catalog, itemID string) float64 {
	traits := c.traitsNow(catalog, itemID)
	hit := c.hit(p, traits)
	if hit == 0 {
		return 0
	}
	return hit / (math.Sqrt(c.worth(traits)) * p.root)
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

// reach is how far a search goes: the traits that it follows, and the items that it looks
// at of each.
type reach struct{ traits, items int }

var (
	bridgeReach  = reach{traits: 8, items: 32}
	contentReach = reach{traits: 24, items: 64}
)

// search is the memory of a search for items that are alike.
type search struct {
	profile profile
	leads   []lead
	hits    []found
	// seen holds the number of the search that saw the item last.
	seen   []uint32
	number uint32
}

// lead is a trait to follow and what it is worth to the visitor.
type lead struct {
	trait int32
	worth float64
}

type found struct {
	at    int32
	score float64
	turn  uint64
}

// alike returns up to n items of the lists that share traits with the profile, the most
// alike first; equal ones in an order of the salt's own, so that every item gets its turn
// before somebody. It follows the traits worth the most, and of each looks at the items
// newest on offer.
func (c *Content) alike(s *search, lists [][]int32, salt string, r reach, n int) []candidate {
	p := &s.profile
	s.leads, s.hits = s.leads[:0], s.hits[:0]
	for _, t := range p.traits {
		if len(lists[t]) > 0 {
			s.leads = append(s.leads, lead{t, p.share[t] * c.values[t]})
		}
	}
	slices.SortFunc(s.leads, func(a, b lead) int {
		return cmp.Or(cmp.Compare(b.worth, a.worth), cmp.Compare(a.trait, b.trait))
	})
	s.begin(len(c.ids))
	turns := xxhash.Sum64String(salt)
	for _, l := range s.leads[:min(len(s.leads), r.traits)] {
		list := lists[l.trait]
		for _, at := range list[:min(len(list), r.items)] {
			if s.seen[at] == s.number {
				continue
			}
			s.seen[at] = s.number
			s.hits = append(s.hits, found{at, c.hit(p, c.traits[at]) / c.roots[at], (turns ^ c.hashes[at]) * 0x9e3779b97f4a7c15})
		}
	}
	slices.SortFunc(s.hits, func(a, b found) int {
		return cmp.Or(cmp.Compare(b.score, a.score), cmp.Compare(a.turn, b.turn), cmp.Compare(a.at, b.at))
	})
	out := make([]candidate, min(n, len(s.hits)))
	for i, h := range s.hits[:len(out)] {
		out[i] = candidate{id: c.ids[h.at], score: h.score / p.root, from: fromContent, cause: -1, row: -1}
	}
	return out
}

// begin makes every one of n items unseen.
func (s *search) begin(n int) {
	if s.number++; s.number == 0 || len(s.seen) < n {
		s.seen, s.number = make([]uint32, n), 1
	}
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
