package scylla

import (
	"context"
	"fmt"
	"time"

	"github.com/attune-shop/attune/model/event"
)

// Lease implements store.Leases. Times are whole seconds, rounded up.
func (s *Store) Lease(ctx context.Context, name, holder string, ttl time.Duration) error {
	seconds := int((ttl + time.Second - 1) / time.Second)
	applied, there, err := s.decide(ctx, `INSERT INTO leases (name, holder) VALUES (?, ?) IF NOT EXISTS USING TTL ?`, name, holder, seconds)
	if err == nil && !applied && there["holder"] == holder {
		applied, _, err = s.decide(ctx, `UPDATE leases USING TTL ? SET holder = ? WHERE name = ? IF holder = ?`, seconds, holder, name, holder)
	}
	if err != nil {
		return fmt.Errorf("lease %s: %w", name, err)
	}
	if !applied {
		return fmt.Errorf("lease %s: %w", name, event.ErrBusy)
	}
	return nil
}

// EndLease implements store.Leases.
func (s *Store) EndLease(ctx context.Context, name, holder string) error {
	if _, _, err := s.decide(ctx, `DELETE FROM leases WHERE name = ? IF holder = ?`, name, holder); err != nil {
		return fmt.Errorf("end of lease %s: %w", name, err)
	}
	return nil
}
