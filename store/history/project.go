package history

import (
	"bytes"
	"context"
	"fmt"
	"slices"

	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/store"
)

// project brings one row's events into events, links and features, and moves projected
// to it. Doing it again, here or in another process, changes nothing. The entries' views
// are the features of their visitors as they were when last read.
func (s *shard) project(ctx context.Context, seq store.Seq, entries []entry) error {
	records := make([]store.Record, len(entries))
	var links []event.Link
	for i, e := range entries {
		records[i] = store.Record{Visitor: e.view.visitor, EventID: e.event.ID, Seq: seq, Data: e.data}
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
	if err := s.fold(ctx, seq, entries); err != nil {
		return fmt.Errorf("features of row %d of shard %d: %w", seq, s.number, err)
	}
	s.projected.Store(uint64(seq))
	s.history.unflushed.Add(int64(len(entries)))
	return nil
}

// fold folds a row's events into the features of their visitors and swaps them in. Where
// another process was faster, or the store lost them, it reads again and tries again.
func (s *shard) fold(ctx context.Context, seq store.Seq, entries []entry) error {
	for len(entries) > 0 {
		var views []*view
		for _, e := range entries {
			v := e.view
			if v.through >= seq {
				continue
			}
			v.fold(e.event, len(e.data))
			if !v.changed {
				v.changed = true
				views = append(views, v)
			}
		}
		beaten, err := s.swap(ctx, seq, views)
		if err != nil || len(beaten) == 0 {
			return err
		}
		if err := s.fill(ctx, beaten); err != nil {
			return err
		}
		entries = slices.DeleteFunc(slices.Clone(entries), func(e entry) bool { return !slices.Contains(beaten, e.view) })
	}
	return nil
}

// swap stores changed features and returns the views whose stored value is another by now.
func (s *shard) swap(ctx context.Context, seq store.Seq, views []*view) (beaten []*view, err error) {
	if len(views) == 0 {
		return nil, nil
	}
	changes := make([]store.Change, len(views))
	for i, v := range views {
		v.through = seq
		s.scratch = v.append(s.scratch[:0])
		changes[i] = store.Change{Visitor: v.visitor, Old: v.stored, New: bytes.Clone(s.scratch)}
	}
	swapped, err := s.history.stores.SwapFeatures(ctx, s.number, changes)
	if err != nil {
		return nil, err
	}
	for i, ok := range swapped {
		if !ok {
			beaten = append(beaten, views[i])
		}
	}
	return beaten, nil
}

// heal catches up with the head that the log has now. A row that is missing before it is
// event.ErrCorrupt.
func (s *shard) heal(ctx context.Context) error {
	head, err := s.history.stores.Head(ctx, s.number)
	if err != nil {
		return fmt.Errorf("head of shard %d: %w", s.number, err)
	}
	if err := s.catchUp(ctx); err != nil {
		return err
	}
	if projected := s.projected.Load(); projected < uint64(head) {
		return fmt.Errorf("shard %d: row %d of %d is missing: %w", s.number, projected+1, head, event.ErrCorrupt)
	}
	return nil
}

// catchUp projects every row after projected: what a crash or an error left, or what
// another process appended.
func (s *shard) catchUp(ctx context.Context) error {
	return s.history.stores.ReadLog(ctx, s.number, store.Seq(s.projected.Load())+1, func(seq store.Seq, row []byte) error {
		c, err := decodeRow(row)
		if err != nil {
			return fmt.Errorf("row %d of shard %d: %w", seq, s.number, err)
		}
		if c.fence {
			return s.passFence(ctx, seq, c)
		}
		var loading views
		entries := make([]entry, len(c.events))
		for i := range c.events {
			entries[i] = entry{event: &c.events[i], data: c.data[i], view: loading.of(c.events[i].Visitor())}
		}
		if err := s.fill(ctx, loading.list); err != nil {
			return err
		}
		return s.project(ctx, seq, entries)
	})
}

// passFence moves projected past a fence, which is noted first for those who follow the mark.
func (s *shard) passFence(ctx context.Context, seq store.Seq, row content) error {
	s.noteFence(seq, row)
	if err := s.history.stores.SetFence(ctx, s.number, seq); err != nil {
		return fmt.Errorf("fence of shard %d: %w", s.number, err)
	}
	s.projected.Store(uint64(seq))
	return nil
}
