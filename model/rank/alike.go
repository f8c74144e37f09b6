package rank

import (
	"cmp"
	"math"
	"slices"

	"github.com/cespare/xxhash/v2"
)

// profileInterests bounds the interests, the strongest ones, that make a profile.
const profileInterests = 32

// reach is how far a search for items that are alike goes: the traits that it follows, the
// items that it looks at of each, and those that it gives.
type reach struct{ traits, items, given int }

var (
	bridgeReach  = reach{traits: 8, items: 32, given: 64}
	contentReach = reach{traits: 24, items: 64, given: relatedItems}
)

// profile is how much a visitor cares for each trait.
type profile struct {
	// worth is by trait: the share of the visitor's interest in items that have it, at most
	// 1, times its value. traits are those of which it is not 0.
	worth  []float64
	traits []int32
	// root is that of the sum of worth.
	root float64
}

// profileOf makes p the traits of what the visitor showed interest in.
func (c *Content) profileOf(p *profile, shop *Shop, interests []interest) {
	for _, t := range p.traits {
		p.worth[t] = 0
	}
	p.traits = p.traits[:0]
	if len(p.worth) < len(c.values) {
		p.worth = make([]float64, len(c.values))
	}
	sum := 0.0
	interests = interests[:min(len(interests), profileInterests)]
	for n := range interests {
		i := &interests[n]
		traits := c.traitsOfInterest(shop, i)
		if len(traits) == 0 {
			continue
		}
		sum += i.weight
		for _, t := range traits {
			if p.worth[t] == 0 {
				p.traits = append(p.traits, t)
			}
			p.worth[t] += i.weight
		}
	}
	p.root = 0
	for _, t := range p.traits {
		p.worth[t] *= c.values[t] / sum
		p.root += p.worth[t]
	}
	p.root = math.Sqrt(p.root)
}

// hit is what an item's traits have in common with the profile, the sum of their worth.
// Divided by the profile's root and the item's it is their cosine, weighted by the values.
func (p *profile) hit(traits []int32) float64 {
	sum := 0.0
	for _, t := range traits {
		sum += p.worth[t]
	}
	return sum
}

// likeness is the cosine of an item and the profile, 0 to 1.
func (c *Content) likeness(p *profile, catalog Catalog, itemID string) float64 {
	traits := c.traitsNow(catalog, itemID)
	hit := p.hit(traits)
	if hit == 0 {
		return 0
	}
	return hit / (math.Sqrt(c.worth(traits)) * p.root)
}

// search is the memory of a search for items that are alike.
type search struct {
	profile profile
	leads   []lead
	// seen holds the number of the search that saw the item last.
	seen   []uint32
	number uint32
	// newcomers and others are what two searches found.
	newcomers, others likes
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

// begin makes every one of n items unseen.
func (s *search) begin(n int) {
	if s.number++; s.number == 0 || len(s.seen) < n {
		s.seen, s.number = make([]uint32, n), 1
	}
}

// alike makes l the items of the lists that share traits with the profile and are not
// left out. It follows the traits worth the most, and of each looks at the items newest
// on offer. Equal ones come in an order of the salt's own, so that every item gets its turn
// before somebody.
func (c *Content) alike(s *search, l *likes, lists [][]int32, salt string, r reach, leftOut []interest) *likes {
	p := &s.profile
	s.leads = s.leads[:0]
	for _, t := range p.traits {
		if len(lists[t]) > 0 {
			s.leads = append(s.leads, lead{t, p.worth[t]})
		}
	}
	slices.SortFunc(s.leads, func(a, b lead) int {
		return cmp.Or(cmp.Compare(b.worth, a.worth), cmp.Compare(a.trait, b.trait))
	})
	s.begin(len(c.ids))
	for i := range leftOut {
		if at, ok := c.places[leftOut[i].itemID]; ok {
			s.seen[at] = s.number
		}
	}
	turns := xxhash.Sum64String(salt)
	*l = likes{ids: c.ids, root: p.root, left: r.given, rest: l.rest[:0], cause: -1}
	for _, lead := range s.leads[:min(len(s.leads), r.traits)] {
		list := lists[lead.trait]
		for _, at := range list[:min(len(list), r.items)] {
			if s.seen[at] == s.number {
				continue
			}
			s.seen[at] = s.number
			l.rest = append(l.rest, found{at, p.hit(c.traitsAt(at)) / c.roots[at], (turns ^ c.hashes[at]) * 0x9e3779b97f4a7c15})
		}
	}
	heapify(l.rest, likelier)
	return l
}

// likes gives items that were found to be alike, the most alike first, at most left of
// them. cause is that of all of them.
type likes struct {
	ids   []string
	root  float64
	left  int
	rest  []found
	cause int32
}

func (l *likes) next() (candidate, bool) {
	if l.left == 0 || len(l.rest) == 0 {
		return candidate{}, false
	}
	l.left--
	var best found
	best, l.rest = pop(l.rest, likelier)
	return candidate{
		id: l.ids[best.at], score: best.score / l.root, from: fromContent, cause: l.cause, row: -1,
	}, true
}

func likelier(a, b *found) bool {
	if a.score != b.score {
		return a.score > b.score
	}
	if a.turn != b.turn {
		return a.turn < b.turn
	}
	return a.at < b.at
}
