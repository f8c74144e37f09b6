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
	buyers, err := audience.OpenBuyers(ctx, audience.Options{History: kept, Store: stores, Now: now, Logger: s.logger})
	if err != nil {
		return nil, nil, fmt.Errorf("load the model of likely buyers: %w", err)
	}
	if stores.Shared() {
		s.background(ctx, buyers.Follow)
	}
	s.background(ctx, func(running context.Context) { buyers.Tend(running, book) })
	subjects := &segment.Subjects{Book: book, Catalog: shelf, Weights: cfg.weights(), Buyers: buyers}
	var retain func(*feature.State) *feature.State
	if months := cfg.Retention; months > 0 {
		subjects.Horizon = func(at time.Time) time.Time { return retention.Horizon(at, months) }
		retain = func(state *feature.State) *feature.State { return state.Since(subjects.Horizon(now())) }
	}
	publisher := membership.Open(ctx, membership.Options{
		Log: past, People: past, Store: stores, Book: book, Subject: subjects.Of, Basis: subjects.Basis,
		Retain: retain, Now: now, Logger: s.logger,
	})
	s.closing = append(s.closing, publisher.Close)
	return segment.New(segment.Options{
		People: kept, Users: past, Book: book, Rules: compiler, Publisher: publisher,
		Reader: membership.NewReader(stores), Subjects: subjects, Retain: retain, Now: now,
	}), book, nil
}
