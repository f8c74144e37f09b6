package embedded

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"

	"github.com/cockroachdb/pebble/v2"

	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/store"
)

// Register implements store.Registers. Versions count the changes.
func (s *Store) Register(ctx context.Context, name string) ([]byte, string, error) {
	changes, value, err := s.register(name)
	if err = errors.Join(err, ctx.Err()); err != nil || changes == 0 {
		return nil, "", err
	}
	return value, strconv.FormatUint(changes, 10), nil
}

// register returns how often a register was set, and to what the last time.
func (s *Store) register(name string) (changes uint64, value []byte, err error) {
	stored, err := s.db.get(idKey('g', name))
	switch {
	case errors.Is(err, event.ErrNotFound):
		return 0, nil, nil
	case err != nil:
		return 0, nil, fmt.Errorf("register %q: %w", name, err)
	case len(stored) < 8:
		return 0, nil, fmt.Errorf("register %q of %d bytes: %w", name, len(stored), event.ErrCorrupt)
	}
	return binary.BigEndian.Uint64(stored), stored[8:], nil
}

// SetRegister implements store.Registers.
func (s *Store) SetRegister(ctx context.Context, name, instead string, value []byte) (string, error) {
	s.registers.Lock()
	defer s.registers.Unlock()
	changes, _, err := s.register(name)
	if err != nil {
		return "", err
	}
	version := ""
	if changes > 0 {
		version = strconv.FormatUint(changes, 10)
	}
	if version != instead {
		return "", fmt.Errorf("register %q is at version %q, not %q: %w", name, version, instead, store.ErrTaken)
	}
	changes++
	err = s.write(ctx, func(batch *pebble.Batch) error {
		return batch.Set(idKey('g', name), append(binary.BigEndian.AppendUint64(nil, changes), value...), nil)
	})
	if err != nil {
		return "", err
	}
	return strconv.FormatUint(changes, 10), nil
}
