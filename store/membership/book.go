package membership

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/model/segment"
	"github.com/attune-shop/attune/store"
	"github.com/attune-shop/attune/store/register"
	"github.com/attune-shop/attune/store/repeat"
)

const (
	// definitionsRegister is the name of the register that holds the definitions.
	definitionsRegister = "segments"
	// refreshEvery is the time between two looks for what other processes defined.
	refreshEvery = time.Second
)

// Edition is the definitions at one time, with their rules compiled. It is immutable.
type Edition struct {
	Definitions
	// Rules has the rule of each segment, in the order of Segments. One that this process cannot
	// compile, for a newer one wrote it, is nil.
	Rules []*segment.Rule
	// version is that of the register which the definitions were read from.
	version string
}

// Find returns a segment, or event.ErrNotFound.
func (e *Edition) Find(id string) (*Segment, error) {
	found, _, err := e.FindRule(id)
	return found, err
}

// FindRule returns a segment with its rule, nil where this process cannot compile it, or event.ErrNotFound.
func (e *Edition) FindRule(id string) (*Segment, *segment.Rule, error) {
	at, found := e.find(id)
	if !found {
		return nil, nil, fmt.Errorf("segment %q: %w", id, event.ErrNotFound)
	}
	return &e.Segments[at], e.Rules[at], nil
}

// Book is the definitions as this process knows them. Its methods may be called concurrently.
type Book struct {
	registers store.Registers
	compiler  *segment.Compiler
	logger    *slog.Logger
	current   atomic.Pointer[Edition]

	// reading is held while a newer edition is put in the place of the current one.
	reading sync.Mutex
	// changed is closed with the next edition, and then another one takes its place.
	changed chan struct{}
	// compiled are the rules of the current edition by their texts, for the next one.
	compiled map[string]*segment.Rule
}

// OpenBook reads the definitions.
func OpenBook(ctx context.Context, registers store.Registers, compiler *segment.Compiler, logger *slog.Logger) (*Book, error) {
	b := &Book{registers: registers, compiler: compiler, logger: logger, changed: make(chan struct{})}
	if err := b.Refresh(ctx); err != nil {
		return nil, err
	}
	return b, nil
}

// Current returns the newest edition that is known here.
func (b *Book) Current() *Edition { return b.current.Load() }

// Changed returns a channel that is closed once there is a newer edition than the current one.
func (b *Book) Changed() <-chan struct{} {
	b.reading.Lock()
	defer b.reading.Unlock()
	return b.changed
}

// Refresh looks for what other processes defined.
func (b *Book) Refresh(ctx context.Context) error {
	b.reading.Lock()
	defer b.reading.Unlock()
	data, version, err := b.registers.Register(ctx, definitionsRegister)
	if err != nil {
		return fmt.Errorf("segments: %w", err)
	}
	if current := b.current.Load(); current != nil && current.version == version {
		return nil
	}
	d, err := register.Decode[Definitions](definitionsRegister, data)
	if err != nil {
		return err
	}
	d.complete()
	b.issue(&d, version)
	return nil
}

// issue makes an edition of definitions the current one; b.reading is held.
func (b *Book) issue(d *Definitions, version string) {
	e := &Edition{Definitions: *d, Rules: make([]*segment.Rule, len(d.Segments)), version: version}
	compiled := make(map[string]*segment.Rule, len(d.Segments))
	for i := range e.Segments {
		text := e.Segments[i].Rule
		rule, known := b.compiled[text]
		if !known {
			var err error
			if rule, err = b.compiler.Rule(text); err != nil {
				b.logger.Error("a segment is not understood and left alone", "segment", e.Segments[i].ID, "error", err)
			}
		}
		e.Rules[i], compiled[text] = rule, rule
	}
	b.compiled = compiled
	b.current.Store(e)
	close(b.changed)
	b.changed = make(chan struct{})
}

// Change changes the definitions as one step, durably, and returns the edition that it made.
// change may run several times, each time on what is there then, and its error ends it. Definitions that are
// more than a register takes are an *event.InvalidError.
func (b *Book) Change(ctx context.Context, change func(*Definitions) error) (*Edition, error) {
	b.reading.Lock()
	defer b.reading.Unlock()
	d, version, err := register.Change(ctx, b.registers, definitionsRegister, func(d *Definitions) error {
		d.complete()
		return change(d)
	})
	if errors.Is(err, register.ErrTooLarge) {
		return nil, event.Invalid("rule", "all segments together, with their rules and descriptions, take at most %d bytes", register.MaxBytes)
	}
	if err != nil {
		return nil, err
	}
	b.issue(&d, version)
	return b.current.Load(), nil
}

// Follow refreshes until ctx ends, for as long as others share the store.
func (b *Book) Follow(ctx context.Context) {
	repeat.Look(ctx, refreshEvery, b.Refresh, func(err error) {
		b.logger.Warn("what others defined of segments cannot be seen", "error", err)
	})
}
