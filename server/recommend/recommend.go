// Package recommend serves the RecommendationService: it reads who the visitor is, hands
// that to model/rank together with the shop as it is now, and answers the list.
//
// Nothing of a visitor is kept between requests, so a list is always computed with the
// visitor's last acknowledged event. What is kept is the same for everybody: the model in
// service, the catalog, the index of its content, and the trending items.
package recommend

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"slices"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/attune-shop/attune/model/cf/feedback"

	attunev1 "github.com/attune-shop/attune/gen/attune/v1"
	"github.com/attune-shop/attune/model/cf"
	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/model/feature"
	"github.com/attune-shop/attune/model/rank"
	"github.com/attune-shop/attune/model/rank/expr"
	"github.com/attune-shop/attune/model/trend"
	"github.com/attune-shop/attune/server/wire"
	"github.com/attune-shop/attune/store/history"
)

// People tells who visitors are; *history.History does.
type People interface {
	Person(ctx context.Context, v event.Visitor) (history.Person, error)
	Events(ctx context.Context, v event.Visitor, q history.EventQuery) ([]event.Event, error)
	EventIDs(ctx context.Context, v event.Visitor, fingerprints []uint64) (map[uint64]string, error)
}

// Shelf is the catalog as it is now; *catalog.Shelf is one.
type Shelf interface {
	rank.Catalog
	// Version changes with each write.
	Version() uint64
}

// Models tells which model is in service; *training.Holder does.
type Models interface {
	// Active returns nil and "" where there is none.
	Active() (*cf.Snapshot, string)
}

// Options are what a Service is made of; none may be left out.
type Options struct {
	People People
	Shelf  Shelf
	Models Models
	Trends *Trends
	// Weights say how much interest an event of each type shows.
	Weights feedback.Weights
	// Now is the clock that windows and availabilities go by.
	Now func() time.Time
	// Segments returns the ids of the segments that a visitor is in, for filters and boosts.
	Segments func(*rank.Visitor) []string
	// Random gives the random part of recommendation ids; it must be safe for concurrent use.
	Random io.Reader
	Logger *slog.Logger
}

// Service implements attunev1.RecommendationServiceServer.
type Service struct {
	attunev1.UnimplementedRecommendationServiceServer

	options Options
	rules   *expr.Compiler
	content contentIndex
	scratch sync.Pool
	// warn lets one of the warnings of a minute through.
	warn rate.Sometimes
}

// New returns a Service.
func New(options Options) (*Service, error) {
	if options.People == nil || options.Shelf == nil || options.Models == nil || options.Trends == nil ||
		options.Weights == nil || options.Now == nil || options.Segments == nil || options.Random == nil || options.Logger == nil {
		return nil, errors.New("recommend: an option is missing")
	}
	rules, err := expr.NewCompiler()
	if err != nil {
		return nil, err
	}
	return &Service{
		options: options,
		rules:   rules,
		scratch: sync.Pool{New: func() any { return new(rank.Scratch) }},
		warn:    rate.Sometimes{Interval: time.Minute},
	}, nil
}

// Close waits for background work.
func (s *Service) Close() { s.content.wait() }

// shopNow is the shop as this request sees it, and the version of its model.
func (s *Service) shopNow() (*rank.Shop, string) {
	shop := &rank.Shop{Catalog: s.options.Shelf, Weights: s.options.Weights, Now: s.options.Now(), Segments: s.options.Segments}
	snapshot, version := s.options.Models.Active()
	if snapshot != nil {
		shop.Model = snapshot
	}
	shop.Content = s.content.current(s.options.Shelf, shop.Model, version)
	shop.Trending = func() []trend.Count { return s.options.Trends.Top(shop.Now, coldWindow, "") }
	return shop, version
}

// list is one request on its way: what was asked, by whom, of which shop.
type list struct {
	service *Service
	shop    *rank.Shop
	version string
	visitor rank.Visitor
	query   rank.Query
	asked   request
	// degraded is why the visitor, or its events, could not be read, nil where they could.
	degraded error
}

// open checks what all requests have in common and reads who the visitor is. Where the
// store of that is not available, or cannot take more, the list goes on without.
func (s *Service) open(ctx context.Context, asked request, limit *int32) (*list, error) {
	l := &list{service: s, asked: asked}
	var err error
	if l.query, err = s.queryOf(asked, limit); err != nil {
		return nil, err
	}
	l.visitor, err = s.readVisitor(ctx, asked)
	if err = l.degrade(ctx, err); err != nil {
		return nil, err
	}
	if l.query.ExcludeSeen || l.query.ExcludeInCart {
		if err = l.degrade(ctx, l.readPast(ctx)); err != nil {
			return nil, err
		}
	}
	l.shop, l.version = s.shopNow()
	return l, nil
}

// maxPast is the number of events up to which a visitor's are read for what was seen and what is
// in the cart. People have fewer; it bounds the time of a request by a robot's.
const maxPast = 10_000

// readPast reads what the visitor did where the State is too short to tell what was seen and what is
// in the cart: a visitor of long standing would be shown again what is to be left out.
func (l *list) readPast(ctx context.Context) error {
	state := l.visitor.State
	if state == nil || !state.Overflown() || state.Events() > maxPast {
		return nil
	}
	events, err := l.service.options.People.Events(ctx, l.visitor.Key, history.EventQuery{Limit: maxPast})
	if err != nil {
		return err
	}
	for i := range slices.Backward(events) {
		l.visitor.Past = feature.AppendInteractions(l.visitor.Past, &events[i])
	}
	return nil
}

// degrade lets the list go on without what a store could not tell, because it is not available
// or cannot take more, and returns any other error.
func (l *list) degrade(ctx context.Context, err error) error {
	if !errors.Is(err, event.ErrUnavailable) && !errors.Is(err, event.ErrExhausted) {
		return err
	}
	l.service.warn.Do(func() {
		l.service.options.Logger.WarnContext(ctx, "lists are made without what their visitors did; said once a minute", "error", err)
	})
	l.degraded = err
	return nil
}

// openKnown is open for lists of nothing but what the visitor did: event.ErrUnavailable or
// event.ErrExhausted where that cannot be read.
func (s *Service) openKnown(ctx context.Context, asked request, limit *int32) (*list, error) {
	if err := needsVisitor(asked); err != nil {
		return nil, err
	}
	l, err := s.open(ctx, asked, limit)
	if err == nil {
		err = l.degraded
	}
	return l, err
}

func (s *Service) readVisitor(ctx context.Context, asked request) (rank.Visitor, error) {
	var key event.Visitor
	switch {
	case asked.GetUserId() != "":
		key = event.User(asked.GetUserId())
	case asked.GetAnonymousId() != "":
		key = event.Anonymous(asked.GetAnonymousId())
	default:
		return rank.Visitor{}, nil
	}
	person, err := s.options.People.Person(ctx, key)
	if err != nil {
		return rank.Visitor{}, err
	}
	return rank.Visitor{Key: person.Visitor, AnonymousIDs: person.AnonymousIDs, State: person.State}, nil
}

// answer ranks and puts the entries on the wire.
func (l *list) answer(ctx context.Context, list func(*rank.Scratch) ([]rank.Entry, error)) (*attunev1.RecommendResponse, error) {
	scratch := l.service.scratch.Get().(*rank.Scratch)
	entries, err := list(scratch)
	l.service.scratch.Put(scratch)
	if err != nil {
		return nil, err
	}
	items, err := l.onWire(ctx, entries)
	if err != nil {
		return nil, err
	}
	id, err := l.service.newID(l.shop.Now, l.asked.GetPlacement())
	if err != nil {
		return nil, err
	}
	return &attunev1.RecommendResponse{RecommendationId: id, ModelVersion: l.version, Items: items, Degraded: l.degraded != nil}, nil
}

// Recommend implements the service.
func (s *Service) Recommend(ctx context.Context, req *attunev1.RecommendRequest) (*attunev1.RecommendResponse, error) {
	session, err := sessionOf(req.GetSession(), s.options.Now())
	if err != nil {
		return nil, err
	}
	l, err := s.open(ctx, req, req.Limit)
	if err != nil {
		return nil, err
	}
	l.visitor.Session = session
	return l.answer(ctx, func(scratch *rank.Scratch) ([]rank.Entry, error) {
		return rank.Recommend(ctx, l.shop, &l.visitor, &l.query, scratch)
	})
}

// SimilarItems implements the service.
func (s *Service) SimilarItems(ctx context.Context, req *attunev1.SimilarItemsRequest) (*attunev1.RecommendResponse, error) {
	if err := wire.CheckID("item_id", req.GetItemId()); err != nil {
		return nil, err
	}
	l, err := s.open(ctx, req, req.Limit)
	if err != nil {
		return nil, err
	}
	return l.answer(ctx, func(scratch *rank.Scratch) ([]rank.Entry, error) {
		return rank.Similar(ctx, l.shop, &l.visitor, &l.query, scratch, req.GetItemId())
	})
}

// BoughtTogether implements the service.
func (s *Service) BoughtTogether(ctx context.Context, req *attunev1.BoughtTogetherRequest) (*attunev1.RecommendResponse, error) {
	basket, err := basketOf(req)
	if err != nil {
		return nil, err
	}
	l, err := s.open(ctx, req, req.Limit)
	if err != nil {
		return nil, err
	}
	return l.answer(ctx, func(scratch *rank.Scratch) ([]rank.Entry, error) {
		return rank.Together(ctx, l.shop, &l.visitor, &l.query, scratch, basket)
	})
}

// Trending implements the service.
func (s *Service) Trending(ctx context.Context, req *attunev1.TrendingRequest) (*attunev1.RecommendResponse, error) {
	window, kind, err := windowOf(req, s.options.Now())
	if err != nil {
		return nil, err
	}
	l, err := s.open(ctx, req, req.Limit)
	if err != nil {
		return nil, err
	}
	counts := s.options.Trends.Top(l.shop.Now, window, kind)
	return l.answer(ctx, func(scratch *rank.Scratch) ([]rank.Entry, error) {
		return rank.Trending(ctx, l.shop, &l.visitor, &l.query, scratch, counts, req.GetCategory())
	})
}

// Rerank implements the service.
func (s *Service) Rerank(ctx context.Context, req *attunev1.RerankRequest) (*attunev1.RecommendResponse, error) {
	if err := checkItemIDs("item_ids", req.GetItemIds(), 1, maxRerank); err != nil {
		return nil, err
	}
	l, err := s.open(ctx, req, req.Limit)
	if err != nil {
		return nil, err
	}
	return l.answer(ctx, func(scratch *rank.Scratch) ([]rank.Entry, error) {
		return rank.Rerank(ctx, l.shop, &l.visitor, &l.query, scratch, req.GetItemIds())
	})
}

// RecentlyViewed implements the service.
func (s *Service) RecentlyViewed(ctx context.Context, req *attunev1.RecentlyViewedRequest) (*attunev1.RecommendResponse, error) {
	l, err := s.openKnown(ctx, req, req.Limit)
	if err != nil {
		return nil, err
	}
	return l.answer(ctx, func(scratch *rank.Scratch) ([]rank.Entry, error) {
		return rank.RecentlyViewed(ctx, l.shop, &l.visitor, &l.query, scratch)
	})
}

// BuyAgain implements the service.
func (s *Service) BuyAgain(ctx context.Context, req *attunev1.BuyAgainRequest) (*attunev1.RecommendResponse, error) {
	l, err := s.openKnown(ctx, req, req.Limit)
	if err != nil {
		return nil, err
	}
	return l.answer(ctx, func(scratch *rank.Scratch) ([]rank.Entry, error) {
		return rank.BuyAgain(ctx, l.shop, &l.visitor, &l.query, scratch)
	})
}
