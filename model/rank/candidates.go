package rank

import (
	"github.com/attune-shop/attune/model/cf"
	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/model/trend"
)

// origin tells which part of the engine brought a candidate up.
type origin uint8

const (
	fromModel origin = iota + 1
	fromContent
	fromPopular
	fromTrending
	fromCatalog
	fromSimilar
	fromTogether
	fromHistory
	fromOrders
	fromRequest
)

// candidate is an item that may enter the list.
type candidate struct {
	id    string
	item  *event.Item // nil where the catalog has no such item
	score float64
	from  origin
	// cause is the number of the interest or basket item behind it; -1 for none.
	cause int32
	// row is the item's number in the model; -1 where it is not known.
	row int32
	// newcomer says that it enters through its content beside a model's candidates.
	newcomer bool
}

// source gives candidates, the best first.
type source interface{ next() (candidate, bool) }

// slice gives candidates that are in order already.
type slice struct{ rest []candidate }

func (s *slice) next() (candidate, bool) {
	if len(s.rest) == 0 {
		return candidate{}, false
	}
	c := s.rest[0]
	s.rest = s.rest[1:]
	return c, true
}

// later makes a source when its first candidate is asked for.
func later(make func() source) source { return &deferred{make: make} }

type deferred struct {
	make func() source
	made source
}

func (s *deferred) next() (candidate, bool) {
	if s.made == nil {
		s.made = s.make()
	}
	return s.made.next()
}

// rows gives a model's candidates that are in order already.
type rows struct {
	model Model
	rest  []cf.Candidate
	from  origin
	cause int32
}

func (s *rows) next() (candidate, bool) {
	if len(s.rest) == 0 {
		return candidate{}, false
	}
	c := s.rest[0]
	s.rest = s.rest[1:]
	return candidate{id: s.model.ItemID(c.Item), score: float64(c.Score), from: s.from, cause: s.cause, row: c.Item}, true
}

// scored gives a model's candidates in the order of scores, equal ones by their number,
// and only those above 0.
type scored struct {
	model Model
	rest  []cf.Candidate
}

func newScored(model Model, candidates []cf.Candidate) *scored {
	heapify(candidates, better)
	return &scored{model: model, rest: candidates}
}

func better(a, b *cf.Candidate) bool {
	return a.Score > b.Score || a.Score == b.Score && a.Item < b.Item
}

func (s *scored) next() (candidate, bool) {
	if len(s.rest) == 0 || !(s.rest[0].Score > 0) {
		return candidate{}, false
	}
	var c cf.Candidate
	c, s.rest = pop(s.rest, better)
	return candidate{id: s.model.ItemID(c.Item), score: float64(c.Score), from: fromModel, cause: -1, row: c.Item}, true
}

// trends gives counted items.
type trends struct{ rest []trend.Count }

func (s *trends) next() (candidate, bool) {
	if len(s.rest) == 0 {
		return candidate{}, false
	}
	c := s.rest[0]
	s.rest = s.rest[1:]
	return candidate{id: c.ItemID, score: c.Score, from: fromTrending, cause: -1, row: -1}, true
}

// alternate gives from each of its sources in turn, with scores 1, 1/2, 1/3, ...
type alternate struct {
	sources     []source
	turn, given int
}

func (s *alternate) next() (candidate, bool) {
	for range s.sources {
		at := s.turn % len(s.sources)
		s.turn++
		if c, ok := s.sources[at].next(); ok {
			s.given++
			c.score = 1 / float64(s.given)
			return c, true
		}
	}
	return candidate{}, false
}

// admitted gives what passes the gate, one source after the other, and newcomers in
// between. The first source's scores stay; those of later ones are scaled to lie below
// everything before them.
type admitted struct {
	run     *run
	sources []source
	// newcomers enter at set places among the first source's candidates; nil where there are none.
	newcomers source
	given     int
	// at is the current source, first the one that gave the first candidate.
	at, first int
	// last is the score given last; floor lies below the sources before the current one,
	// whose first score is top, 0 before it.
	last, floor, top float64
}

func (a *admitted) next() (candidate, bool, error) {
	for a.at < len(a.sources) {
		c, ok := a.newcomer()
		if !ok {
			c, ok = a.sources[a.at].next()
		}
		if !ok {
			a.at, a.top = a.at+1, 0
			continue
		}
		passes, err := a.run.gate.admits(&c)
		if err != nil {
			return candidate{}, false, err
		}
		if !passes {
			continue
		}
		a.scale(&c)
		a.given++
		return c, true, nil
	}
	return candidate{}, false, nil
}

// newcomer gives the next newcomer where its place has come.
func (a *admitted) newcomer() (candidate, bool) {
	if a.newcomers == nil || a.at != a.first || a.given%bridgeEvery != bridgeEvery-2 {
		return candidate{}, false
	}
	c, ok := a.newcomers.next()
	c.newcomer = true
	return c, ok
}

func (a *admitted) scale(c *candidate) {
	if a.given == 0 {
		a.first = a.at
	}
	switch {
	case c.newcomer:
		c.score = a.last
		return
	case a.at != a.first && a.top == 0:
		a.top, a.floor = max(c.score, 1e-12), 0.9*max(a.last, 0)
	}
	if a.at != a.first {
		c.score = min(max(c.score/a.top, 0), 1) * a.floor
	}
	a.last = c.score
}
