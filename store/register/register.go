// Package register keeps what operators define, and what follows from it, in registers of a store, as
// JSON that says its form, and changes it as one step, whoever else does so at the same time.
package register

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/store"
)

const (
	// formVersion is the newest form of what is stored that is known here.
	formVersion = 1
	// changeTries bounds how often a change is tried while others change the same register, too.
	changeTries = 50
	// MaxBytes is what a register takes, as store.Registers has it.
	MaxBytes = 1 << 20
)

// ErrTooLarge says that a change would make more of a register than it takes.
var ErrTooLarge = errors.New("too much in one register")

// Formed is a pointer to what is stored in a register. Its form comes first in its JSON.
type Formed[T any] interface {
	*T
	// Form is where its form is said.
	Form() *int
}

// Decode reads what a register holds; what was never set is the zero value. Its errors wrap
// event.ErrCorrupt or event.ErrNewerVersion.
func Decode[T any, P Formed[T]](name string, data []byte) (value T, err error) {
	if len(data) == 0 {
		return value, nil
	}
	err = json.Unmarshal(data, &value)
	switch form := *P(&value).Form(); {
	case form > formVersion: // whatever else it holds, which need not fit what is known here
		return value, fmt.Errorf("%s: form %d, known up to %d: %w", name, form, formVersion, event.ErrNewerVersion)
	case errors.Is(err, event.ErrNewerVersion):
		return value, fmt.Errorf("%s: %w", name, err)
	case err != nil:
		return value, fmt.Errorf("%s: %w: %w", name, event.ErrCorrupt, err)
	}
	return value, nil
}

// Read reads a register and its version.
func Read[T any, P Formed[T]](ctx context.Context, registers store.Registers, name string) (value T, version string, err error) {
	data, version, err := registers.Register(ctx, name)
	if err != nil {
		return value, "", fmt.Errorf("%s: %w", name, err)
	}
	value, err = Decode[T, P](name, data)
	return value, version, err
}

// Write stores a register in the place of a version, and returns the new one; store.ErrTaken where
// another is there by now.
func Write[T any, P Formed[T]](ctx context.Context, registers store.Registers, name, instead string, value P) (string, error) {
	return write[T, P](ctx, registers, name, instead, value, MaxBytes)
}

func write[T any, P Formed[T]](ctx context.Context, registers store.Registers, name, instead string, value P, most int) (string, error) {
	*value.Form() = formVersion
	data, err := json.Marshal(value)
	if err == nil && len(data) > most {
		err = fmt.Errorf("%d bytes: %w", len(data), ErrTooLarge)
	}
	if err == nil {
		instead, err = registers.SetRegister(ctx, name, instead, data)
	}
	if err != nil {
		return "", fmt.Errorf("%s: %w", name, err)
	}
	return instead, nil
}

// Change changes a register as one step, durably, and returns what is there then, with its version. do
// may run several times, each time on what is there at that moment, and its error ends the change. What would
// come to more than MaxBytes, and to more than what was there, is not stored: the error wraps ErrTooLarge.
func Change[T any, P Formed[T]](ctx context.Context, registers store.Registers, name string, do func(P) error) (T, string, error) {
	var none T
	for range changeTries {
		data, version, err := registers.Register(ctx, name)
		if err != nil {
			return none, "", fmt.Errorf("%s: %w", name, err)
		}
		value, err := Decode[T, P](name, data)
		if err == nil {
			err = do(&value)
		}
		if err != nil {
			return value, "", err
		}
		version, err = write[T, P](ctx, registers, name, version, &value, max(len(data), MaxBytes))
		if !errors.Is(err, store.ErrTaken) {
			return value, version, err
		}
	}
	return none, "", fmt.Errorf("%s: changes all the time: %w", name, event.ErrUnavailable)
}
