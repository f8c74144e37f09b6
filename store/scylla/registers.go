package scylla

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/attune-shop/attune/model/event"
)

// Registers are values that processes change one after the other, each by a lightweight
// transaction on what it read.
const (
	schemaRegister  = "schema"  // the version that the keyspace was migrated to
	formatRegister  = "format"  // format
	lettersRegister = "letters" // the number of the last dead letter
	modelsRegister  = "models"  // registry
)

// changeTries bounds how often a change is tried while others change the same register.
const changeTries = 30

// register reads a register into value and returns its bytes: nil, and value as it was,
// where it was never written.
func (s *Store) register(ctx context.Context, name string, value any) ([]byte, error) {
	var data []byte
	err := s.decided(ctx, []any{&data}, `SELECT data FROM registers WHERE name = ?`, name)
	if errors.Is(err, event.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(data, value); err != nil {
		return nil, fmt.Errorf("register %s: %w: %w", name, event.ErrCorrupt, err)
	}
	return data, nil
}

// changeRegister replaces what a register holds by what change makes of it, as one step.
// change may run several times, each time on what is there then.
func changeRegister[V any](ctx context.Context, s *Store, name string, change func(*V) error) error {
	for try := range changeTries {
		var value V
		old, err := s.register(ctx, name, &value)
		if err != nil {
			return err
		}
		if err := change(&value); err != nil {
			return err
		}
		data, err := json.Marshal(value)
		if err != nil {
			return fmt.Errorf("register %s: %w", name, err)
		}
		if bytes.Equal(old, data) {
			return nil
		}
		applied, err := s.setRegister(ctx, name, old, data)
		if err != nil || applied {
			return err
		}
		if err := pause(ctx, try); err != nil {
			return err
		}
	}
	return fmt.Errorf("register %s changes all the time: %w", name, event.ErrUnavailable)
}

// setRegister sets a register that still holds old.
func (s *Store) setRegister(ctx context.Context, name string, old, data []byte) (bool, error) {
	query, args := `UPDATE registers SET data = ? WHERE name = ? IF data = ?`, []any{data, name, old}
	if old == nil {
		query, args = `INSERT INTO registers (name, data) VALUES (?, ?) IF NOT EXISTS`, []any{name, data}
	}
	applied, there, err := s.decide(ctx, query, args...)
	if err != nil || applied {
		return applied, err
	}
	found, _ := there["data"].([]byte)
	return bytes.Equal(found, data), nil
}

// pause waits for a random time that grows with the tries, for others to be done.
func pause(ctx context.Context, try int) error {
	most := min(time.Duration(try+1)*5*time.Millisecond, 100*time.Millisecond)
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(rand.N(most)):
		return nil
	}
}
