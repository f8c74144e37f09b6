package server

import (
	"context"
	"fmt"
	"log/slog"
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

// segmentRules are the segments as they are defined, and what their rules are asked with.
type segmentRules struct {
	compiler *rules.Compiler
	book     *membership.Book
	subjects *segment.Subjects
	crowd    *audience.Crowd
}

// openRules reads the definitions of segments and what was learned for them.
func openRules(
	ctx context.Context, cfg *HistoryConfig, stores store.Stores, past *history.History, kept retention.History, now func() time.Time, logger *slog.Logger,
) (*segmentRules, error) {
	compiler, err := rules.NewCompiler()
	if err != nil {
		return nil, fmt.Errorf("rules of segments: %w", err)
	}
	book, err := membership.OpenBook(ctx, stores, compiler, logger)
	if err != nil {
		return nil, fmt.Errorf("load the segments: %w", err)
	}
	r := &segmentRules{
		compiler: compiler, book: book, subjects: &segment.Subjects{Book: book, Weights: cfg.weights()},
		crowd: &audience.Crowd{Users: past, People: kept},
	}
	if months := cfg.Retention; months > 0 {
		r.subjects.Horizon = func(at time.Time) time.Time { return retention.Horizon(at, months) }
		r.crowd.Retain = func(state *feature.State) *feature.State { return state.Since(r.subjects.Horizon(now())) }
	}
	r.subjects.Buyers, err = audience.OpenBuyers(ctx, audience.BuyersOptions{History: kept, Store: stores, Now: now, Logger: logger})
	if err != nil {
		return nil, fmt.Errorf("load the model of likely buyers: %w", err)
	}
	r.subjects.Lookalikes, err = audience.OpenLookalikes(ctx, audience.LookalikesOptions{
		Crowd: r.crowd, Book: book, Subject: r.subjects.Of, Weights: r.subjects.Weights, Store: stores, Now: now, Logger: logger,
	})
	if err != nil {
		return nil, fmt.Errorf("load the models of lookalikes: %w", err)
	}
	return r, nil
}

// publishing is what members are published by.
func (r *segmentRules) publishing(past *history.History, stores store.Stores, now func() time.Time, logger *slog.Logger) membership.Options {
	return membership.Options{
		Log: past, People: past, Store: stores, Book: r.book, Subject: r.subjects.Of, Basis: r.subjects.Basis,
		Retain: r.crowd.Retain, Now: now, Logger: logger,
	}
}

// openSegments wires the segments: their definitions, who publishes their members, and the service.
func (s *Server) openSegments(
	ctx context.Context, cfg *Config, stores store.Stores, past *history.History, kept retention.History, shelf *catalog.Shelf,
) (*segment.Service, *membership.Book, error) {
	now := cfg.clock()
	r, err := openRules(ctx, &cfg.HistoryConfig, stores, past, kept, now, s.logger)
	if err != nil {
		return nil, nil, err
	}
	r.subjects.Catalog = shelf
	if stores.Shared() {
		s.background(ctx, r.book.Follow)
		s.background(ctx, r.subjects.Buyers.Follow)
		s.background(ctx, r.subjects.Lookalikes.Follow)
	}
	s.background(ctx, func(running context.Context) { r.subjects.Buyers.Tend(running, r.book) })
	s.background(ctx, r.subjects.Lookalikes.Tend)
	publisher := membership.Open(ctx, r.publishing(past, stores, now, s.logger))
	s.closing = append(s.closing, publisher.Close)
	return segment.New(segment.Options{
		People: kept, Crowd: r.crowd, Book: r.book, Rules: r.compiler, Publisher: publisher,
		Reader: membership.NewReader(stores), Subjects: r.subjects, Now: now,
	}), r.book, nil
}
