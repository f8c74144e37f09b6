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
	buyers   *audience.Buyers
	subjects *segment.Subjects
	// retain leaves out of features what has expired; nil where nothing does.
	retain func(*feature.State) *feature.State
}

// openRules reads the definitions of segments and what was learned for them.
func openRules(
	ctx context.Context, cfg *HistoryConfig, stores store.Stores, kept retention.History, now func() time.Time, logger *slog.Logger,
) (*segmentRules, error) {
	r := &segmentRules{}
	var err error
	if r.compiler, err = rules.NewCompiler(); err != nil {
		return nil, fmt.Errorf("rules of segments: %w", err)
	}
	if r.book, err = membership.OpenBook(ctx, stores, r.compiler, logger); err != nil {
		return nil, fmt.Errorf("load the segments: %w", err)
	}
	if r.buyers, err = audience.OpenBuyers(ctx, audience.Options{History: kept, Store: stores, Now: now, Logger: logger}); err != nil {
		return nil, fmt.Errorf("load the model of likely buyers: %w", err)
	}
	r.subjects = &segment.Subjects{Book: r.book, Weights: cfg.weights(), Buyers: r.buyers}
	if months := cfg.Retention; months > 0 {
		r.subjects.Horizon = func(at time.Time) time.Time { return retention.Horizon(at, months) }
		r.retain = func(state *feature.State) *feature.State { return state.Since(r.subjects.Horizon(now())) }
	}
	return r, nil
}

// publishing is what members are published by.
func (r *segmentRules) publishing(
	past *history.History, kept retention.History, stores store.Stores, now func() time.Time, logger *slog.Logger,
) membership.Options {
	return membership.Options{
		Log: past, People: kept, Store: stores, Book: r.book, Subject: r.subjects.Of, Basis: r.subjects.Basis,
		Retain: r.retain, Now: now, Logger: logger,
	}
}

// openSegments wires the segments: their definitions, who publishes their members, and the service.
func (s *Server) openSegments(
	ctx context.Context, cfg *Config, stores store.Stores, past *history.History, kept retention.History, shelf *catalog.Shelf,
) (*segment.Service, *membership.Book, error) {
	now := cfg.clock()
	r, err := openRules(ctx, &cfg.HistoryConfig, stores, kept, now, s.logger)
	if err != nil {
		return nil, nil, err
	}
	r.subjects.Catalog = shelf
	if stores.Shared() {
		s.background(ctx, r.book.Follow)
		s.background(ctx, r.buyers.Follow)
	}
	s.background(ctx, func(running context.Context) { r.buyers.Tend(running, r.book) })
	publisher := membership.Open(ctx, r.publishing(past, kept, stores, now, s.logger))
	s.closing = append(s.closing, publisher.Close)
	return segment.New(segment.Options{
		People: kept, Users: past, Book: r.book, Rules: r.compiler, Publisher: publisher,
		Reader: membership.NewReader(stores), Subjects: r.subjects, Retain: r.retain, Now: now,
	}), r.book, nil
}
