// Package audience learns from the shop what rules of segments read beside the users: who is likely to
// buy (buyers.go, over model/propensity), and who is like the members of a segment (lookalikes.go, over
// model/likeness). What is learned is one value in a register, with a version (kept.go), so that all processes
// use the same, and segments are brought up to date where it becomes another. One process at a time learns,
// under a lease (learner.go): when it is asked to, and once a day while a segment reads it (tend.go). gather.go
// reads the history, user by user, and crowd.go the users as they are.
package audience

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/store"
	"github.com/attune-shop/attune/store/register"
)

// kept is a value that was learned, as its register has it.
type kept[T any] struct {
	registers store.Registers
	name      string
	current   atomic.Pointer[T]

	// mu is held while the register is read or changed.
	mu sync.Mutex
	// version is that of the register as it was last read.
	version string
	// unread is why what is there is not the current value, nil where it is.
	unread error
}

// stored is what a register holds.
type stored[T any] struct {
	Version int `json:"form"`
	Value   *T  `json:"value"`
}

// Form implements register.Formed.
func (s *stored[T]) Form() *int { return &s.Version }

// refresh looks for what other processes learned. What cannot be read leaves the value as it is;
// then the error, which comes once, wraps event.ErrCorrupt or event.ErrNewerVersion.
func (k *kept[T]) refresh(ctx context.Context) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	data, version, err := k.registers.Register(ctx, k.name)
	if err != nil {
		return fmt.Errorf("%s: %w", k.name, err)
	}
	if version == k.version {
		return nil
	}
	k.version = version
	var read stored[T]
	if read, k.unread = register.Decode[stored[T]](k.name, data); k.unread == nil && read.Value == nil && len(data) > 0 {
		k.unread = fmt.Errorf("%s: nothing in it: %w", k.name, event.ErrCorrupt)
	}
	if k.unread == nil {
		k.current.Store(read.Value)
	}
	return k.unread
}

// replace puts a value in the place of the current one, which may be nil, durably. Where another
// process did so since the last refresh it returns event.ErrBusy. What a newer release wrote stays.
func (k *kept[T]) replace(ctx context.Context, with func(before *T) *T) (*T, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if errors.Is(k.unread, event.ErrNewerVersion) {
		return nil, k.unread
	}
	value := with(k.current.Load())
	version, err := register.Write(ctx, k.registers, k.name, k.version, &stored[T]{Value: value})
	if errors.Is(err, store.ErrTaken) {
		return nil, fmt.Errorf("%s: another process learned meanwhile: %w", k.name, event.ErrBusy)
	}
	if err != nil {
		return nil, err
	}
	k.version, k.unread = version, nil
	k.current.Store(value)
	return value, nil
}
