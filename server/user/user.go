// Package user serves the UserService: a visitor's features as of the last acknowledged
// event, and the events themselves.
package user

import (
	"context"
	"fmt"
	"time"

	"github.com/attune-shop/attune/model/cf/feedback"

	attunev1 "github.com/attune-shop/attune/gen/attune/v1"
	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/model/rank"
	"github.com/attune-shop/attune/server/wire"
	"github.com/attune-shop/attune/store/history"
)

// People tells who visitors are and what they did; *history.History does.
type People interface {
	Person(ctx context.Context, v event.Visitor) (history.Person, error)
	Events(ctx context.Context, v event.Visitor, q history.EventQuery) ([]event.Event, error)
}

// Options are what a Service is made of; none may be left out.
type Options struct {
	People People
	// Catalog gives the items of recent events their categories and brands, as they are now.
	Catalog rank.Catalog
	// Weights say how much interest an event of each type shows.
	Weights feedback.Weights
	// Now is the clock that windows go by.
	Now func() time.Time
}

// Service is the UserService.
type Service struct {
	attunev1.UnimplementedUserServiceServer

	options Options
}

// New returns a Service.
func New(options Options) *Service { return &Service{options: options} }

// GetUser answers what is known of a visitor, NOT_FOUND where that is nothing.
func (s *Service) GetUser(ctx context.Context, request *attunev1.GetUserRequest) (*attunev1.User, error) {
	visitor, err := wire.Visitor(request.GetUserId(), request.GetAnonymousId())
	if err != nil {
		return nil, err
	}
	person, err := s.options.People.Person(ctx, visitor)
	if err != nil {
		return nil, fmt.Errorf("features: %w", err)
	}
	if person.State.Events() == 0 {
		return nil, fmt.Errorf("visitor %q: %w", visitor.ID(), event.ErrNotFound)
	}
	return s.describe(&person), nil
}

func (s *Service) describe(person *history.Person) *attunev1.User {
	now := s.options.Now()
	sum := person.State.Summary(now)
	user := &attunev1.User{
		AnonymousIds:           person.AnonymousIDs,
		EventCounts:            make(map[string]int64, len(sum.Types)),
		FirstSeenAt:            wire.Time(sum.First),
		LastSeenAt:             wire.Time(sum.Last),
		Purchases:              counts(sum.Purchases),
		Spent:                  amounts(sum.Spent),
		AverageOrderMinorUnits: make(map[string]int64, len(sum.Averages)),
		LastPurchaseAt:         wire.Time(sum.LastPurchase),
		CartItemIds:            person.State.Cart(),
		Traits:                 traits(person.State.Traits()),
	}
	if person.Visitor.IsUser() {
		user.UserId = person.Visitor.ID()
	} else {
		user.AnonymousIds = []string{person.Visitor.ID()}
	}
	for _, t := range sum.Types {
		user.EventCounts[string(t.Type)] = t.Counts.All
		user.Types = append(user.Types, &attunev1.TypeFeatures{
			Type: string(t.Type), Counts: counts(t.Counts), Values: amounts(t.Values),
			FirstAt: wire.Time(t.First), LastAt: wire.Time(t.Last),
		})
	}
	for _, average := range sum.Averages {
		user.AverageOrderMinorUnits[average.Mean.Currency] = average.Mean.Minor
	}
	for _, x := range person.State.Recent() {
		user.RecentItems = append(user.RecentItems, &attunev1.RecentItem{
			ItemId: x.ItemID, Type: string(x.Type), OccurredAt: wire.Time(x.At), Quantity: x.Quantity,
		})
	}
	visitor := &rank.Visitor{Key: person.Visitor, AnonymousIDs: person.AnonymousIDs, State: person.State}
	user.CategoryAffinity, user.BrandAffinity = rank.Affinity(s.options.Catalog, visitor, s.options.Weights, now)
	return user
}
