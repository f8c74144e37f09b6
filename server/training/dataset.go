package training

import (
	"context"
	"fmt"

	"github.com/attune-shop/attune/model/cf/feedback"
	"github.com/attune-shop/attune/model/event"
)

// collector turns events into a feedback.Dataset.
type collector struct {
	weights feedback.Weights
	builder *feedback.Builder
	visitor event.Visitor
	// visitors and events are what was read so far; a visitor who comes twice counts twice.
	visitors, events int
	items            []string
}

// readHistory reads all of the source; tell is called after each visitor.
func (s *Service) readHistory(ctx context.Context, tell func(c *collector) error) (*feedback.Dataset, error) {
	c := &collector{weights: s.options.Weights, builder: feedback.NewBuilder()}
	err := s.source.Scan(ctx, func(owner event.Visitor, events []event.Event) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		c.add(owner, events)
		return tell(c)
	})
	if err != nil {
		return nil, fmt.Errorf("read history: %w", err)
	}
	return c.builder.Build(), nil
}

// add takes one visitor's events in. A visitor of whom nothing but a session is known
// says what is bought together and no more: there is nobody to recommend to.
func (c *collector) add(owner event.Visitor, events []event.Event) {
	if owner != c.visitor {
		c.visitor = owner
		c.visitors++
	}
	c.events += len(events)
	for i := range events {
		e := &events[i]
		weight := c.weights.Training(e.Type)
		if weight == 0 && e.Type != event.Purchase || e.Type == event.Identify {
			continue
		}
		c.items = itemsOf(e, c.items[:0])
		if e.Type == event.Purchase || len(e.Lines) > 1 {
			c.builder.AddBasket(c.items)
		}
		if owner.IsSession() {
			continue
		}
		for _, item := range c.items {
			c.builder.Add(string(owner), item, weight, e.OccurredAt.Unix())
		}
	}
}

// itemsOf appends the event's distinct items: its own and those of its lines.
func itemsOf(e *event.Event, into []string) []string {
	if e.ItemID != "" {
		into = append(into, e.ItemID)
	}
	if len(e.Lines) == 0 {
		return into
	}
	seen := make(map[string]struct{}, len(e.Lines)+1)
	seen[e.ItemID] = struct{}{}
	for _, line := range e.Lines {
		if _, ok := seen[line.ItemID]; !ok {
			seen[line.ItemID] = struct{}{}
			into = append(into, line.ItemID)
		}
	}
	return into
}
