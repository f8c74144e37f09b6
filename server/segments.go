package server

import (
	"context"
	"fmt"
	"time"

	"github.com/attune-shop/attune/model/feature"
	rules "github.com/attune-shop/attune/model/segment"
	"github.com/attune-shop/attune/server/audience"
	"github.com/attune-shop/attune/server/catalog"
	"github.com/attune-shop/attune/server/retention"
	"github.com/attune-shop/attune/server/segment"
	"github.com/attune-shop/attune/store"
	"github.com/attune-shop/attune/store/history"
	"github.com/attune-shop/attune/store/membership"
)

// openSegments wires the segments: their definitions, who publishes their members, and the service.
func (s *Server) openSegments(
	ctx context.Context, cfg *Config, stores store.Stores, past *history.History, kept retention.History, shelf *catalog.Shelf,
) (*segment.Service, *membership.Book, error) {
	now := cfg.clock()
	compiler, err := rules.NewCompiler()
	if err != nil {
		return nil, nil, fmt.Errorf("rules of segments: %w", err)
	}
	book, err := membership.OpenBook(ctx, stores, compiler, s.logger)
	if err != nil {
		return nil, nil, fmt.Errorf("load the segments: %w", err)
	}
	if stores.Shared() {
		s.background(ctx, book.Follow)
	}
	subjects := &segment.Subjects{Book: book, Catalog: shelf, Weights: cfg.weights()}
	crowd := &audience.Crowd{Users: past, People: kept}
	if months := cfg.Retention; months > 0 {
		subjects.Horizon = func(at time.Time) time.Time { return retention.Horizon(at, months) }
		crowd.Retain = func(state *feature.State) *feature.State { return state.Since(subjects.Horizon(now())) }
	}
	if err := s.openAudience(ctx, subjects, stores, kept, crowd, now); err != nil {
		return nil, nil, err
	}
	publisher := membership.Open(ctx, membership.Options{
		Log: past, People: kept, Store: stores, Book: book, Subject: subjects.Of, Basis: subjects.Basis,
		Retain: crowd.Retain, Now: now, Logger: s.logger,
	})
	s.closing = append(s.closing, publisher.Close)
	return segment.New(segment.Options{
		People: kept, Crowd: crowd, Book: book, Rules: compiler, Publisher: publisher,
		Reader: membership.NewReader(stores), Subjects: subjects, Now: now,
	}), book, nil
}

// openAudience opens what subjects know by learning, and has it learned and followed.
func (s *Server) openAudience(
	ctx context.Context, subjects *segment.Subjects, stores store.Stores, past retention.History, crowd *audience.Crowd, now func() time.Time,
) (err error) {
	subjects.Buyers, err = audience.OpenBuyers(ctx, audience.BuyersOptions{History: past, Store: stores, Now: now, Logger: s.logger})
	if err != nil {
		return fmt.Errorf("load the model of likely buyers: %w", err)
	}
	subjects.Lookalikes, err = audience.OpenLookalikes(ctx, audience.LookalikesOptions{
		Crowd: crowd, Book: subjects.Book, Subject: subjects.Of, Weights: subjects.Weights, Store: stores, Now: now, Logger: s.logger,
	})
	if err != nil {
		return fmt.Errorf("load the models of lookalikes: %w", err)
	}
	if stores.Shared() {
		s.background(ctx, subjects.Buyers.Follow)
		s.background(ctx, subjects.Lookalikes.Follow)
	}
	s.background(ctx, func(running context.Context) { subjects.Buyers.Tend(running, subjects.Book) })
	s.background(ctx, subjects.Lookalikes.Tend)
	return nil
}
