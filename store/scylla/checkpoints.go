package scylla

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/attune-shop/attune/model/event"
)

// checkpointKept is how long a checkpoint is kept that no other takes the place of. What
// follows the log begins anew after it, and what a crash left of a save ends with it.
const checkpointKept = 30 * 24 * time.Hour

// savedCheckpoint is what the register of a checkpoint holds.
type savedCheckpoint struct {
	Payload string
	Parts   int
}

func checkpointRegister(name string) string { return "checkpoint/" + name }

// SaveCheckpoint implements store.Checkpoints. Of processes that save the same one, the
// last counts.
func (s *Store) SaveCheckpoint(ctx context.Context, name string, data []byte) error {
	saved := savedCheckpoint{Payload: "checkpoint/" + rand.Text()}
	var err error
	if saved.Parts, err = s.writePayload(ctx, saved.Payload, bytes.NewReader(data), checkpointKept); err != nil {
		return fmt.Errorf("checkpoint %s: %w", name, err)
	}
	var replaced savedCheckpoint
	err = changeRegister(ctx, s, checkpointRegister(name), func(c *savedCheckpoint) error {
		if *c != saved {
			replaced = *c
		}
		*c = saved
		return nil
	})
	if err != nil {
		return fmt.Errorf("checkpoint %s: %w", name, err)
	}
	return s.deletePayload(ctx, replaced.Payload, replaced.Parts)
}

// Checkpoint implements store.Checkpoints.
func (s *Store) Checkpoint(ctx context.Context, name string) ([]byte, error) {
	for try := range changeTries {
		var saved savedCheckpoint
		register, err := s.register(ctx, checkpointRegister(name), &saved)
		if err != nil {
			return nil, fmt.Errorf("checkpoint %s: %w", name, err)
		}
		if register == nil {
			break
		}
		data, err := io.ReadAll(s.openPayload(ctx, saved.Payload, saved.Parts))
		if !errors.Is(err, event.ErrCorrupt) {
			return data, err
		}
		// Another process replaced it meanwhile, or it has expired.
		var now savedCheckpoint
		if _, err := s.register(ctx, checkpointRegister(name), &now); err == nil && now == saved {
			break
		}
		if err := pause(ctx, try); err != nil {
			return nil, err
		}
	}
	return nil, fmt.Errorf("checkpoint %s: %w", name, event.ErrNotFound)
}
