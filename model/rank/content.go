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
	// bridgeCandidates bounds the newcomers that are looked at, traitCandidates those
	// that one trait brings up, profileTraits the traits that are followed.
	bridgeCandidates = 64
	traitCandidates  = 64
	profileTraits    = 24
	// profileInterests bounds the interests, the strongest ones, that make a profile.
	profileInterests = 64
	// titleWords bounds the words of a title that count as traits.
	titleWords = 8
)

// Content is an index of the catalog by what items are: categories and those above them,
// brands, words of titles, which are called traits. It is immutable.
type Content struct {
	// ids are the items, the newest on offer first; places are the reverse.
	ids    []string
	places map[string]int32
	// numbers are those of traits; traits are those of each item.
	numbers map[string]int32
	traits  [][]int32
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
	c.ids, c.places[item.ID], c.traits = append(c.ids, item.ID), at, append(c.traits, traits)
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

// profile is how much a visitor cares for each trait, at most 1.
type profile struct {
	share map[int32]float64
	// norm is the root of the sum of share x value.
	norm float64
}

// profileOf adds up the traits of what the visitor showed interest in, as shares.
func (c *Content) profileOf(catalog Catalog, interests []interest) profile {
	p := profile{share: map[int32]float64{}}
	sum := 0.0
	for _, i := range interests[:min(len(interests), profileInterests)] {
		traits := c.traitsNow(catalog, i.itemID)
		if len(traits) == 0 {
			continue
		}
		sum += i.weight
		for _, t := range traits {
			p.share[t] += i.weight
		}
	}
	for _, t := range p.traits() {
		p.share[t] /= sum
		p.norm += p.share[t] * c.values[t]
	}
	p.norm = math.Sqrt(p.norm)
	return p
}

func (p profile) traits() []int32 {
	traits := make([]int32, 0, len(p.share))
	for t := range p.share {
		traits = append(traits, t)
	}
	slices.Sort(traits)
	return traits
}

// overlap is the cosine of an item's traits and the profile, weighted by the traits' values:
//
//	sum over the item's traits of share(t) value(t)
//	/ root of (sum over the item's traits of value(t) x sum over the profile of share(t) value(t))
func (c *Content) overlap(p profile, traits []int32) float64 {
	var hit, all float64
	for _, t := range traits {
		hit += p.share[t] * c.values[t]
		all += c.values[t]
	}
	if hit == 0 {
		return 0
	}
	return hit / (math.Sqrt(all) * p.norm)
}

// likeness is the overlap of an item.
func (c *Content) likeness(p profile, catalog Catalog, itemID string) float64 {
	return c.overlap(p, c.traitsNow(catalog, itemID))
}

// alike returns up to n items of the lists that share traits with the profile, the most
// alike first; equal ones in an order of the salt's own, so that every item gets its turn
// before somebody. Of each trait only the items newest on offer are looked at.
func (c *Content) alike(p profile, lists [][]int32, salt string, n int) []candidate {
	type lead struct {
		trait int32
		worth float64
	}
	var leads []lead
	for t, share := range p.share {
		if len(lists[t]) > 0 {
			leads = append(leads, lead{t, share * c.values[t]})
		}
	}
	slices.SortFunc(leads, func(a, b lead) int {
		return cmp.Or(cmp.Compare(b.worth, a.worth), cmp.Compare(a.trait, b.trait))
	})
	type found struct {
		at    int32
		score float64
		turn  uint64
	}
	seen := map[int32]struct{}{}
	var hits []found
	for _, l := range leads[:min(len(leads), profileTraits)] {
		list := lists[l.trait]
		for _, at := range list[:min(len(list), traitCandidates)] {
			if _, ok := seen[at]; ok {
				continue
			}
			seen[at] = struct{}{}
			if score := c.overlap(p, c.traits[at]); score > 0 {
				hits = append(hits, found{at, score, xxhash.Sum64String(salt + "\x00" + c.ids[at])})
			}
		}
	}
	slices.SortFunc(hits, func(a, b found) int {
		return cmp.Or(cmp.Compare(b.score, a.score), cmp.Compare(a.turn, b.turn), cmp.Compare(a.at, b.at))
	})
	hits = hits[:min(n, len(hits))]
	out := make([]candidate, len(hits))
	for i, h := range hits {
		out[i] = candidate{id: c.ids[h.at], score: h.score, from: fromContent, cause: -1, row: -1}
	}
	return out
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
