package scylla

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	random "math/rand/v2"
	"time"

	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/store"
)

// Registers are values that processes change one after the other, each by a lightweight
// transaction on what it read. What is stored is a cell: the value with a name of the write,
// so that two writers of the same value are told apart.
const (
	schemaRegister  = "schema"  // the version that the keyspace was migrated to
	formatRegister  = "format"  // format
	lettersRegister = "letters" // the number of the last dead letter
	modelsRegister  = "models"  // registry
)

// changeTries bounds how often a change is tried while others change the same register.
const changeTries = 30

// cell is what is stored of a register.
type cell struct {
	Write string
	Value json.RawMessage
}

// register reads a register into value and returns the bytes of its cell: nil, and value as
// it was, where it was never written.
func (s *Store) register(ctx context.Context, name string, value any) ([]byte, error) {
	data, _, err := s.readCell(ctx, name, value)
	return data, err
}

// readCell is register, and returns the name of the write, too.
func (s *Store) readCell(ctx context.Context, name string, value any) (data []byte, write string, err error) {
	err = s.decided(ctx, []any{&data}, `SELECT data FROM registers WHERE name = ?`, name)
	if errors.Is(err, event.ErrNotFound) {
		return nil, "", nil
	}
	if err != nil {
		return nil, "", err
	}
	var stored cell
	if err = json.Unmarshal(data, &stored); err == nil {
		err = json.Unmarshal(stored.Value, value)
	}
	if err != nil {
		return nil, "", fmt.Errorf("register %s: %w: %w", name, event.ErrCorrupt, err)
	}
	return data, stored.Write, nil
}

// changeRegister replaces what a register holds by what change makes of it, as one step, and
// writes nothing where that is the same. change may run several times, each time on what is
// there then; where changeRegister returns nil, its last run was the one that counts.
func changeRegister[V any](ctx context.Context, s *Store, name string, change func(*V) error) error {
	for try := range changeTries {
		var value V
		old, err := s.register(ctx, name, &value)
		if err != nil {
			return err
		}
		before, err := json.Marshal(value)
		if err == nil {
			err = change(&value)
		}
		if err != nil {
			return err
		}
		after, err := json.Marshal(value)
		if err != nil {
			return fmt.Errorf("register %s: %w", name, err)
		}
		if old != nil && bytes.Equal(before, after) {
			return nil
		}
		write, err := s.setRegister(ctx, name, old, after)
		if err != nil || write != "" {
			return err
		}
		if err := pause(ctx, try); err != nil {
			return err
		}
	}
	return fmt.Errorf("register %s changes all the time: %w", name, event.ErrUnavailable)
}

// setRegister sets a register whose cell is still old, and returns the name of the write: ""
// where the cell is another by now.
func (s *Store) setRegister(ctx context.Context, name string, old, value []byte) (write string, err error) {
	write = rand.Text()
	data, err := json.Marshal(cell{Write: write, Value: value})
	if err != nil {
		return "", fmt.Errorf("register %s: %w", name, err)
	}
	query, args := `UPDATE registers SET data = ? WHERE name = ? IF data = ?`, []any{data, name, old}
	if old == nil {
		query, args = `INSERT INTO registers (name, data) VALUES (?, ?) IF NOT EXISTS`, []any{name, data}
	}
	applied, there, err := s.decide(ctx, query, args...)
	if err != nil || applied {
		return write, err
	}
	// It may be ours, by a try whose answer was lost.
	if found, _ := there["data"].([]byte); bytes.Equal(found, data) {
		return write, nil
	}
	return "", nil
}

// operatorRegister is the name of what store.Registers calls name: this package has registers
// of its own.
func operatorRegister(name string) string { return "operator/" + name }

// Register implements store.Registers. A version is the name of its write.
func (s *Store) Register(ctx context.Context, name string) (value []byte, version string, err error) {
	_, version, err = s.readCell(ctx, operatorRegister(name), &value)
	return value, version, err
}

// SetRegister implements store.Registers.
func (s *Store) SetRegister(ctx context.Context, name, instead string, value []byte) (string, error) {
	var before []byte
	old, version, err := s.readCell(ctx, operatorRegister(name), &before)
	if err != nil {
		return "", err
	}
	encoded, err := json.Marshal(value)
	if err != nil {
		return "", fmt.Errorf("register %s: %w", name, err)
	}
	if version == instead {
		if version, err = s.setRegister(ctx, operatorRegister(name), old, encoded); err != nil || version != "" {
			return version, err
		}
	}
	return "", fmt.Errorf("register %s is not at version %q any more: %w", name, instead, store.ErrTaken)
}

// pause waits for a random time that grows with the tries, for others to be done.
func pause(ctx context.Context, try int) error {
	most := min(time.Duration(try+1)*5*time.Millisecond, 100*time.Millisecond)
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(random.N(most)):
		return nil
	}
}
