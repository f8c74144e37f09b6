package history

import (
	"context"
	"errors"
	"fmt"

	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/store"
)

// project brings one row's events into events, links and features, and moves projected
// to it. Doing it again, here or in another process, changes nothing. views holds the
// features of the row's visitors as they were when last read.
func (s *shard) project(ctx context.Context, seq store.Seq, entries []entry, views viewsByVisitor) error {
	records := make([]store.Record, len(entries))
	var links []event.Link
	for i, e := range entries {
		records[i] = store.Record{Visitor: e.visitor, EventID: e.event.ID, Seq: seq, Data: e.data}
		if link, ok := e.event.Link(); ok {
			links = append(links, link)
		}
	}
	if err := s.history.stores.PutEvents(ctx, s.number, records); err != nil {
		return fmt.Errorf("events of row %d of shard %d: %w", seq, s.number, err)
	}
	if len(links) > 0 {
		if err := s.history.stores.PutLinks(ctx, links); err != nil {
			return fmt.Errorf("links of row %d of shard %d: %w", seq, s.number, err)
		}
	}
	if err := s.fold(ctx, seq, entries, views); err != nil {
		return fmt.Errorf("features of row %d of shard %d: %w", seq, s.number, err)
	}
	s.projected.Store(uint64(seq))
	s.history.unflushed.Add(int64(len(entries)))
	return nil
}

// fold folds a row's events into the features of their visitors and swaps them in. Where
// another process was faster, it reads what that one stored and tries again.
func (s *shard) fold(ctx context.Context, seq store.Seq, entries []entry, views viewsByVisitor) error {
	for {
		changes := make([]store.Change, 0, len(views))
		changed := make(map[event.Visitor]bool, len(views))
		for _, e := range entries {
			v := views[e.visitor]
			if v.through < seq {
				v.state.Fold(e.event)
				changed[e.visitor] = true
			}
		}
		for visitor := range changed {
			v := views[visitor]
			changes = append(changes, store.Change{Visitor: visitor, Old: v.value, New: encodeValue(seq, v.state)})
		}
		if len(changes) == 0 {
			return nil
		}
		swapped, err := s.history.stores.SwapFeatures(ctx, s.number, changes)
		if err != nil {
			return err
		}
		var lost []event.Visitor
		again := viewsByVisitor{}
		for i, ok := range swapped {
			if !ok {
				lost = append(lost, changes[i].Visitor)
				again[changes[i].Visitor] = new(view)
			}
		}
		if len(lost) == 0 {
			return nil
		}
		if err := s.fill(ctx, again, lost); err != nil {
			return err
		}
		views, entries = again, ofVisitors(entries, again)
	}
}

func ofVisitors(entries []entry, views viewsByVisitor) []entry {
	var kept []entry
	for _, e := range entries {
		if views[e.visitor] != nil {
			kept = append(kept, e)
		}
	}
	return kept
}

// errStop ends a read of the log early.
var errStop = errors.New("stop")

// catchUp projects every row behind projected: what a crash or an error left, or what
// another process appended.
func (s *shard) catchUp(ctx context.Context) error {
	return s.history.stores.ReadLog(ctx, s.number, store.Seq(s.projected.Load())+1, func(seq store.Seq, row []byte) error {
		entries, err := decodeRow(row)
		if err != nil {
			return fmt.Errorf("row %d of shard %d: %w", seq, s.number, err)
		}
		views := viewsByVisitor{}
		var visitors []event.Visitor
		for _, e := range entries {
			if views[e.visitor] == nil {
				views[e.visitor] = new(view)
				visitors = append(visitors, e.visitor)
			}
		}
		if err := s.fill(ctx, views, visitors); err != nil {
			return err
		}
		return s.project(ctx, seq, entries, views)
	})
}
