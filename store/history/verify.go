package history

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/model/feature"
	"github.com/attune-shop/attune/store"
)

// maxExamples bounds the differences that a Report describes.
const maxExamples = 20

// Report is what Verify found.
type Report struct {
	Users  int64
	Events int64
	// Differences counts visitors whose features are not the fold of their events, each
	// counted once, and events that are in the log but not under their visitor.
	Differences int64
	// Examples describes the first differences.
	Examples []string
}

func (r *Report) differ(format string, args ...any) {
	r.Differences++
	if len(r.Examples) < maxExamples {
		r.Examples = append(r.Examples, fmt.Sprintf(format, args...))
	}
}

// Verify makes every visitor's features again from the history and compares them with
// those that are stored, and looks every event of the log up under its visitor. Features
// that the store may lose need not be there. Nothing may be written meanwhile, nor, by others
// who share the store, since Open.
func (h *History) Verify(ctx context.Context) (Report, error) {
	var report Report
	if err := h.verifyFeatures(ctx, &report); err != nil {
		return report, err
	}
	if err := h.verifyOrphans(ctx, &report); err != nil {
		return report, err
	}
	for _, s := range h.shards {
		if err := s.verifyLog(ctx, &report); err != nil {
			return report, fmt.Errorf("shard %d: %w", s.number, err)
		}
	}
	return report, nil
}

// verifyFeatures compares the fold of each visitor's events with the stored features.
func (h *History) verifyFeatures(ctx context.Context, report *Report) error {
	return h.eachVisitor(ctx, func(v event.Visitor, events []located) error {
		s := h.shardOf(v)
		projected := store.Seq(s.projected.Load())
		report.Users++
		folded := features{state: new(feature.State)}
		for i := range events {
			report.Events++
			if events[i].seq > projected {
				report.differ("visitor %q: event %q is of row %d, after the log's end %d", v, events[i].ID, events[i].seq, projected)
				continue
			}
			folded.fold(&events[i].Event, events[i].bytes)
		}
		stored, err := h.stores.GetFeatures(ctx, s.number, []event.Visitor{v})
		if err != nil {
			return err
		}
		if stored[0].Value == nil || !s.epochs.counts(stored[0].Epoch) {
			if !h.stores.LosesFeatures() {
				report.differ("visitor %q: %d events, no features", v, len(events))
			}
			return nil
		}
		kept, err := decodeFeatures(stored[0].Value)
		if errors.Is(err, feature.ErrOutdated) {
			return nil // made again once anybody asks for them
		}
		if err != nil {
			report.differ("visitor %q: %v", v, err)
			return nil
		}
		switch {
		case !bytes.Equal(kept.state.Append(nil), folded.state.Append(nil)):
			report.differ("visitor %q: features of %d events stored, %d in the history", v, kept.state.Events(), folded.state.Events())
		case folded.linked && !kept.linked:
			report.differ("visitor %q: features do not know of anonymous ids that the history has", v)
		}
		return nil
	})
}

// verifyOrphans finds features of visitors that have no events.
func (h *History) verifyOrphans(ctx context.Context, report *Report) error {
	return h.stores.ScanFeatures(ctx, func(v event.Visitor, _ []byte) error {
		found := false
		err := h.stores.ReadEvents(ctx, h.shardOf(v).number, v, func(store.Record) error {
			found = true
			return errStop
		})
		if !found {
			if err != nil {
				return err
			}
			report.differ("visitor %q: features, no events", v)
		}
		return nil
	})
}

// verifyLog looks up every event of the log, as far back as it reaches.
func (s *shard) verifyLog(ctx context.Context, report *Report) error {
	return s.history.stores.ReadLog(ctx, s.number, 1, func(seq store.Seq, row []byte) error {
		c, err := decodeRow(row)
		if err != nil {
			return err
		}
		keys := make([]store.Record, len(c.events))
		for i := range c.events {
			keys[i] = store.Record{Visitor: c.events[i].Visitor(), EventID: c.events[i].ID}
		}
		stored, err := s.history.stores.HasEvents(ctx, s.number, keys)
		if err != nil {
			return err
		}
		for i, there := range stored {
			if !there {
				report.differ("visitor %q: event %q of row %d is in the log only", keys[i].Visitor, keys[i].EventID, seq)
			}
		}
		return nil
	})
}
