package event

import (
	"errors"
	"fmt"
	"strings"
)

// The sentinel errors that every floor shares; server/ maps each to one gRPC code.
var (
	// ErrNotFound says that what was asked for is not there.
	ErrNotFound = errors.New("not found")
	// ErrExists says that what was to be made is there already.
	ErrExists = errors.New("already exists")
	// ErrExpired says that what was to be gone on with is not kept any more.
	ErrExpired = errors.New("expired")
	// ErrNoModel says that no model has been trained yet.
	ErrNoModel = errors.New("no model")
	// ErrInUse says that something else needs what was to be removed.
	ErrInUse = errors.New("in use")
	// ErrCorrupt says that stored bytes are damaged.
	ErrCorrupt = errors.New("corrupt")
	// ErrNewerVersion says that a newer Attune wrote what this one cannot read.
	ErrNewerVersion = errors.New("written by a newer version")
	// ErrLocked says that another process holds the store.
	ErrLocked = errors.New("held by another process")
	// ErrUnavailable says that the store cannot answer now; the same call may succeed later.
	ErrUnavailable = errors.New("store unavailable")
	// ErrExhausted says that a bound on work or space is reached.
	ErrExhausted = errors.New("limit reached")
	// ErrBusy says that the same work is already under way.
	ErrBusy = errors.New("already under way")
)

// Violation names a field and the rule that its value breaks.
type Violation struct {
	// Field is the path from the message down, as in "lines[2].quantity".
	Field string
	Rule  string
}

// InvalidError says which fields of a request are not valid.
type InvalidError struct{ Violations []Violation }

// Invalid returns an InvalidError of one field.
func Invalid(field, rule string, args ...any) *InvalidError {
	return &InvalidError{Violations: []Violation{{Field: field, Rule: fmt.Sprintf(rule, args...)}}}
}

func (e *InvalidError) Error() string {
	parts := make([]string, len(e.Violations))
	for i, v := range e.Violations {
		parts[i] = v.Field + ": " + v.Rule
	}
	return strings.Join(parts, "; ")
}
