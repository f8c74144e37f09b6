package embedded

import (
	"context"
	"sync"
	"time"

	"github.com/attune-shop/attune/model/event"
)

// leases are in memory: they end with the one process that can ask for them.
type leases struct {
	sync.Mutex
	held map[string]lease
}

type lease struct {
	holder string
	until  time.Time
}

// Lease implements store.Leases.
func (s *Store) Lease(ctx context.Context, name, holder string, ttl time.Duration) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.leases.Lock()
	defer s.leases.Unlock()
	now := time.Now()
	if l, held := s.leases.held[name]; held && l.holder != holder && now.Before(l.until) {
		return event.ErrBusy
	}
	if s.leases.held == nil {
		s.leases.held = map[string]lease{}
	}
	s.leases.held[name] = lease{holder: holder, until: now.Add(ttl)}
	return nil
}

// EndLease implements store.Leases.
func (s *Store) EndLease(ctx context.Context, name, holder string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.leases.Lock()
	defer s.leases.Unlock()
	if s.leases.held[name].holder == holder {
		delete(s.leases.held, name)
	}
	return nil
}
