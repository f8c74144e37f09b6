package embedded

import (
	"context"
	"fmt"

	"github.com/cockroachdb/pebble/v2"
)

// SaveCheckpoint implements store.Checkpoints.
func (s *Store) SaveCheckpoint(ctx context.Context, name string, data []byte) error {
	if err := s.space.check(); err != nil {
		return err
	}
	return s.put(ctx, pebble.NoSync, func(batch *pebble.Batch) error { return batch.Set(idKey('c', name), data, nil) })
}

// Checkpoint implements store.Checkpoints.
func (s *Store) Checkpoint(ctx context.Context, name string) ([]byte, error) {
	data, err := s.db.get(idKey('c', name))
	if err != nil {
		return nil, fmt.Errorf("checkpoint %q: %w", name, err)
	}
	return data, ctx.Err()
}
