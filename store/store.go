// Package store says what Attune asks of the place where it keeps its state. The comments
// of these interfaces are the contract; store/storetest holds every implementation to it.
//
// The log is the one commit point. Everything else can be made again from it and from
// the events by visitor, so only Log.Append, Catalog, Rejected and Models need to be
// durable when they return; Events and Features may fall back to an older state after a
// crash, but never to one older than the last mark that was set after them.
//
// Errors are those of model/event: a driver's error is wrapped into event.ErrUnavailable,
// event.ErrExhausted or event.ErrCorrupt at the driver's edge. All methods may be called
// concurrently unless their comment says otherwise. Slices passed in may be used again by
// the caller after the call; slices handed to a callback are valid only during it.
package store

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/cespare/xxhash/v2"

	"github.com/attune-shop/attune/model/event"
)

// Seq numbers the rows of one shard of the log, from 1 on, without holes. 0 is before the first.
type Seq uint64

// ErrTaken says that another writer's row has the number that an append asked for.
var ErrTaken = errors.New("sequence number taken")

// ShardOf tells which of a log's shards holds the visitor's events.
func ShardOf(v event.Visitor, shards int) int {
	return int(xxhash.Sum64String(string(v)) % uint64(shards))
}

// Stores is all that one Attune keeps.
type Stores interface {
	Log
	Events
	Links
	Features
	Catalog
	Rejected
	Models
	Checkpoints

	// Close flushes and lets go. No call may be under way or follow.
	Close() error
}

// Log is the truth: for each shard a stream of rows with dense numbers. A row holds
// the events of one group commit; the log does not look into it.
type Log interface {
	// Shards is the number of shards, fixed when the store was made.
	Shards() int
	// Head returns the number of the shard's last row, 0 where there is none.
	Head(ctx context.Context, shard int) (Seq, error)
	// Append stores row under seq, which must be the head + 1, and returns once it is
	// durable. Where that number is taken, or is not the next, it stores nothing and
	// returns ErrTaken. After any other error the row may or may not be there.
	Append(ctx context.Context, shard int, seq Seq, row []byte) error
	// ReadLog calls fn for the rows [from, head] in order and stops at the first missing
	// number, or with the first error of fn, which it returns as it is.
	ReadLog(ctx context.Context, shard int, from Seq, fn func(seq Seq, row []byte) error) error
	// Mark returns the number up to which everything is known to be projected.
	Mark(ctx context.Context, shard int) (Seq, error)
	// SetMark moves the mark forward; a mark never goes back, a smaller one is ignored.
	// A mark that survives a crash implies that every Put and Swap before it does, too.
	SetMark(ctx context.Context, shard int, mark Seq) error
	// TrimLog deletes rows before the given number; the newest row always stays.
	TrimLog(ctx context.Context, shard int, before Seq) error
}

// Record is one stored event. Data is its binary form (event.Append).
type Record struct {
	Visitor event.Visitor
	EventID string
	Seq     Seq
	Data    []byte
}

// Events keeps every event under its visitor. It is a projection of the log, and what a
// visitor's features are made from again. Records are keyed (Visitor, EventID, Seq);
// where an EventID has more than one Seq the least counts and the others are ignored.
type Events interface {
	// PutEvents stores records of one shard; the same record again changes nothing.
	PutEvents(ctx context.Context, shard int, records []Record) error
	// HasEvents tells for each (Visitor, EventID) of keys whether a record is stored.
	// Only these two fields are read.
	HasEvents(ctx context.Context, shard int, keys []Record) ([]bool, error)
	// ReadEvents calls fn for each event of the visitor once, in the order of event ids.
	ReadEvents(ctx context.Context, shard int, v event.Visitor, fn func(Record) error) error
	// ScanEvents calls fn for each event of the shard once, visitor by visitor, from the
	// first visitor >= from on. It sees at least what was stored before the call.
	ScanEvents(ctx context.Context, shard int, from event.Visitor, fn func(Record) error) error
}

// Links keeps which anonymous visitors and users were seen together.
type Links interface {
	// PutLinks stores links; the same link again changes nothing.
	PutLinks(ctx context.Context, links []event.Link) error
	// Owner returns the least link of the anonymous id, or event.ErrNotFound.
	Owner(ctx context.Context, anonymousID string) (event.Link, error)
	// LinkedTo returns the anonymous ids that were ever seen with the user, in order.
	// Another user may own some of them.
	LinkedTo(ctx context.Context, userID string) ([]string, error)
}

// Change asks that a visitor's features become New if they are Old now. A nil Old asks
// that there be none yet; a nil New removes them.
type Change struct {
	Visitor  event.Visitor
	Old, New []byte
}

// Features keeps one opaque value a visitor, compared and set as a whole. Values are
// immutable: what Get returns and what Swap is given may be shared and must not be changed.
type Features interface {
	// LosesFeatures tells whether stored values may vanish, as from a cache. Where they may
	// not, a visitor without a value has no projected event.
	LosesFeatures() bool
	// GetFeatures returns the value of each visitor, nil where there is none.
	GetFeatures(ctx context.Context, shard int, visitors []event.Visitor) ([][]byte, error)
	// SwapFeatures carries each change out on its own and tells which were: a change whose
	// Old is not the stored value is left undone. GetFeatures reflects a change at once.
	SwapFeatures(ctx context.Context, shard int, changes []Change) ([]bool, error)
	// FlushFeatures returns once everything swapped before the call is as durable as
	// SetMark promises of it.
	FlushFeatures(ctx context.Context, shard int) error
	// ScanFeatures calls fn for each visitor of the shard in order.
	ScanFeatures(ctx context.Context, shard int, fn func(v event.Visitor, value []byte) error) error
}

// Catalog keeps the items on offer. Writes are durable on return.
type Catalog interface {
	PutItems(ctx context.Context, items []event.Item) error
	// Item returns event.ErrNotFound where there is none.
	Item(ctx context.Context, id string) (event.Item, error)
	// Items returns up to limit items with ids > after, in the order of ids.
	Items(ctx context.Context, after string, limit int) ([]event.Item, error)
	// DeleteItem returns event.ErrNotFound where there is none.
	DeleteItem(ctx context.Context, id string) error
}

// DeadLetter is an event that was not valid, as it came.
type DeadLetter struct {
	// ID orders dead letters by arrival; PutRejected assigns it.
	ID         string
	ReceivedAt time.Time
	Violations []event.Violation
	// Data is the event in the form in which it came; the store does not look into it.
	Data []byte
}

// Rejected keeps dead letters. Writes are durable on return.
type Rejected interface {
	PutRejected(ctx context.Context, letters []DeadLetter) error
	// RejectedLetters returns up to limit letters with ids > after, in the order of ids.
	RejectedLetters(ctx context.Context, after string, limit int) ([]DeadLetter, error)
	// RejectedLetter returns event.ErrNotFound where there is none.
	RejectedLetter(ctx context.Context, id string) (DeadLetter, error)
	DeleteRejected(ctx context.Context, ids []string) error
}

// Evaluation is what one algorithm reached on held-out events.
type Evaluation struct {
	Algorithm string
	Metrics   map[string]float64
	Users     int
	Fit       time.Duration
}

// Model describes one trained version.
type Model struct {
	// Version orders versions by age.
	Version      string
	Algorithm    string
	CreatedAt    time.Time
	Users        int
	Items        int
	Interactions int
	SizeBytes    int64
	Evaluations  []Evaluation
	// Choice says why this algorithm.
	Choice string
}

// Models keeps trained versions and which one is in service. Writes are durable on return.
type Models interface {
	// SaveModel stores a version with its payload, all or nothing.
	SaveModel(ctx context.Context, m Model, payload io.Reader) error
	// OpenModel returns a version's payload, which the caller closes, or event.ErrNotFound.
	OpenModel(ctx context.Context, version string) (io.ReadCloser, error)
	// Models returns all versions, newest first.
	Models(ctx context.Context) ([]Model, error)
	// ActiveModel returns the version in service, or event.ErrNotFound.
	ActiveModel(ctx context.Context) (string, error)
	// SetActiveModel returns event.ErrNotFound where there is no such version.
	SetActiveModel(ctx context.Context, version string) error
	// DeleteModel removes a version; the active one stays, with event.ErrBusy.
	DeleteModel(ctx context.Context, version string) error
}

// Checkpoints keeps what a follower of the log knows together with the cursor up to
// which it knows it, so that it need not read the log from its beginning. A checkpoint
// may be lost at a crash for an older one.
type Checkpoints interface {
	SaveCheckpoint(ctx context.Context, name string, data []byte) error
	// Checkpoint returns event.ErrNotFound where there is none.
	Checkpoint(ctx context.Context, name string) ([]byte, error)
}
