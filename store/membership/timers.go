package membership

import (
	"context"
	"fmt"
	"time"

	"github.com/attune-shop/attune/store"
)

// ringEvery is the time between two looks for timers whose time has come: how late what time
// alone changes may be published.
const ringEvery = time.Second

// ring looks at the users whose timers' time has come, until ctx ends.
func (p *Publisher) ring(ctx context.Context) error {
	ticker := time.NewTicker(ringEvery)
	defer ticker.Stop()
	for {
		for _, s := range p.shards {
			if err := p.ringShard(ctx, s); err != nil {
				return ended(ctx, err)
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

func (p *Publisher) ringShard(ctx context.Context, s *shard) error {
	from, until := p.place.timers(s.number), p.options.Now().Truncate(time.Millisecond).Add(time.Millisecond)
	if !until.After(from) {
		return nil
	}
	// Who is looked at from here on has no timer before until.
	s.mu.Lock()
	s.rung = until
	s.mu.Unlock()
	var questions []question
	asked := map[string]bool{}
	flush := func() error {
		defer func() { questions = questions[:0]; clear(asked) }()
		return p.look(ctx, s, nil, questions)
	}
	err := p.options.Store.ReadTimers(ctx, s.number, from, until, func(t store.Timer) error {
		if asked[t.UserID] {
			return nil
		}
		asked[t.UserID] = true
		questions = append(questions, question{userID: t.UserID, due: true})
		if len(questions) >= lookAtOnce {
			return flush()
		}
		return nil
	})
	if err == nil {
		err = flush()
	}
	if err != nil {
		return fmt.Errorf("timers of shard %d: %w", s.number, err)
	}
	p.place.ringed(s.number, until)
	return nil
}

// rewind has everybody asked anew where the clock was put back, as after an hour in which it was a year ahead:
// else nobody would be looked at until the time comes up to which timers have rung.
func (p *Publisher) rewind() {
	now := p.options.Now()
	if !p.place.rewind(now) {
		return
	}
	p.options.Logger.Warn("the clock was put back: everybody is asked again for all segments", "now", now)
	for _, s := range p.shards {
		s.mu.Lock()
		s.rung = p.place.timers(s.number)
		s.mu.Unlock()
	}
}
