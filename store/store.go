// Package store says what Attune asks of the place where it keeps its state. The comments
// of these interfaces are the contract; store/storetest holds every implementation to it.
//
// The log is the one commit point. Everything else can be made again from it and from
// the events by visitor, so only Log.Append, Catalog, Rejected, Models, Registers and the
// Append of Transitions need to be durable when they return; Events and Features may fall back
// to an older state after a crash, but never to one older than the last mark that was set after
// them, and so may Memberships and Timers after the mark of Transitions.
//
// Errors are those of model/event: a driver's error is wrapped into event.ErrUnavailable,
// event.ErrExhausted or event.ErrCorrupt at the driver's edge, unless it is a mistake of the
// program or its set-up, as a statement or a right. A context that has ended ends every
// call with its error. A callback's error ends the call and comes back as it is.
//
// All methods may be called concurrently unless their comment says otherwise. Slices passed in
// may be used again by the caller after the call; slices handed to a callback are valid only
// during it.
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
	Durable
	Features
}

// Durable is all of it but the features, which may be kept elsewhere.
type Durable interface {
	Log
	Events
	Links
	Catalog
	Rejected
	Models
	Checkpoints
	Leases
	Registers
	Memberships
	Timers

	// Close flushes and lets go. No call may be under way or follow.
	Close() error
}

// Join returns stores that keep features in a place of their own. Closing them closes both.
func Join(durable Durable, features interface {
	Features
	io.Closer
}) Stores {
	return joined{durable, features, features}
}

type joined struct {
	Durable
	Features
	features io.Closer
}

func (j joined) Close() error { return errors.Join(j.features.Close(), j.Durable.Close()) }

// Sharing tells who else may be at a store.
type Sharing interface {
	// Shared tells whether other processes may read and write the same store meanwhile.
	Shared() bool
}

// Log is the truth: for each shard a stream of rows with dense numbers. A row holds
// the events of one group commit; the log does not look into it.
type Log interface {
	Sharing
	// Shards is the number of shards, fixed when the store was made.
	Shards() int
	// Head returns the number of the shard's last row, 0 where there is none.
	Head(ctx context.Context, shard int) (Seq, error)
	// Append stores row under seq, which must be the head + 1, and returns once it is
	// durable. Where that number is taken, or is not the next, it stores nothing and
	// returns ErrTaken. After any other error the row may or may not be there. No two rows
	// of a shard may be equal: by its bytes an append whose answer was lost is known again.
	Append(ctx context.Context, shard int, seq Seq, row []byte) error
	// ReadLog calls fn for the rows [from, head] in order and stops at the first missing
	// number.
	ReadLog(ctx context.Context, shard int, from Seq, fn func(seq Seq, row []byte) error) error
	// Mark returns the number up to which everything is known to be projected.
	Mark(ctx context.Context, shard int) (Seq, error)
	// SetMark moves the mark forward; a mark never goes back, a smaller one is ignored.
	// A mark that survives a crash implies that every Put and Swap before it does, too.
	SetMark(ctx context.Context, shard int, mark Seq) error
	// Fence returns the number of a row that SetFence noted: the greatest, 0 where there is none.
	Fence(ctx context.Context, shard int) (Seq, error)
	// SetFence notes the number of a row that those who skip it must read all the same. A
	// smaller one than before is ignored. Who sees a mark sees what was noted before it.
	SetFence(ctx context.Context, shard int, row Seq) error
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
	// ScanEvents calls fn for each event of every shard once, visitor by visitor, in the order
	// of event ids; visitors come in any order. It sees at least what was stored before the call.
	ScanEvents(ctx context.Context, fn func(Record) error) error
	// ScanVisitors calls fn for each visitor that has an event, once, in any order. It sees at
	// least those of whom an event was stored before the call.
	ScanVisitors(ctx context.Context, fn func(event.Visitor) error) error
}

// Links keeps which anonymous visitors and users were seen together.
type Links interface {
	// PutLinks stores links; the same link again changes nothing.
	PutLinks(ctx context.Context, links []event.Link) error
	// Owner returns the least link of the anonymous id, or event.ErrNotFound.
	Owner(ctx context.Context, anonymousID string) (event.Link, error)
	// LinkedTo returns the anonymous ids that were ever seen with the user, in the order of
	// their bytes: the first so many of them, where there are more than limit, which is above
	// 0. Another user may own some of them.
	LinkedTo(ctx context.Context, userID string, limit int) ([]string, error)
	// SeenWith returns the users that the anonymous id was ever seen with, in the order of their
	// bytes: the first so many of them, where there are more than limit, which is above 0.
	SeenWith(ctx context.Context, anonymousID string, limit int) ([]string, error)
}

// Epoch is a life of a shard's features. Who reads another ID than before has lost all of
// them, or reads from another place; what was stored in one epoch is not found in another.
type Epoch struct {
	// ID differs from that of every other epoch of any place, but a place that was left and
	// is asked again has its old one. It is empty where features are never lost.
	ID string
	// New says that the call began the epoch, of which nobody else knows as such.
	New bool
}

// Stored is a visitor's features as they were found.
type Stored struct {
	// Value is nil where the visitor has none.
	Value []byte
	// Token is the store's own mark of what was found, where it has one. That of a missing
	// value which the store may have lost lets one be installed that is made from what is
	// read after the token was given: it becomes void as soon as anybody else installs one
	// or features are lost again.
	Token string
	// Epoch is the one in which they were found.
	Epoch Epoch
}

// Change asks that a visitor's features become New if they are still Old; a nil New
// removes them.
type Change struct {
	Visitor event.Visitor
	Old     Stored
	New     []byte
}

// Features keeps one opaque value a visitor, compared and set as a whole. Values are
// immutable: what Get returns and what Swap is given may be shared and must not be changed.
type Features interface {
	// LosesFeatures tells whether stored values may vanish, as from a cache. They vanish
	// for good: within an epoch an older value never comes back. Where they may not, a
	// visitor without a value has no projected event.
	LosesFeatures() bool
	// BeginEpoch loses all features of the shard, unless its epoch is another than the one
	// named by now, and returns the epoch that it has then.
	BeginEpoch(ctx context.Context, shard int, instead string) (Epoch, error)
	// GetFeatures returns what is stored of each visitor.
	GetFeatures(ctx context.Context, shard int, visitors []event.Visitor) ([]Stored, error)
	// SwapFeatures carries each change out on its own and tells which were: a change whose
	// Old is no longer what is stored is left undone. GetFeatures reflects a change at once.
	SwapFeatures(ctx context.Context, shard int, changes []Change) ([]bool, error)
	// FlushFeatures returns once everything swapped before the call is as durable as
	// SetMark promises of it.
	FlushFeatures(ctx context.Context, shard int) error
	// ScanFeatures calls fn for each visitor of every shard that has a value, at least
	// once, in any order.
	ScanFeatures(ctx context.Context, fn func(v event.Visitor, value []byte) error) error
}

// ItemChange puts items, each in the place of the one with its id, and deletes others. No
// id is in it twice.
type ItemChange struct {
	Put    []event.Item
	Delete []string
}

// Catalog keeps the items on offer. Its changes are numbered by revisions, from 1 on, so
// that processes that share it agree on their order.
type Catalog interface {
	Sharing
	// Items calls fn for every item, in any order, and returns a revision: what changed up
	// to it is in them, and of what changed later some may be.
	Items(ctx context.Context, fn func(event.Item) error) (revision Seq, err error)
	// ChangeItems stores a change after the newest revision, which the caller must know,
	// and returns the revision that it made, durably. Where there is a newer one it
	// returns ErrTaken; after any error part of the change may be stored.
	ChangeItems(ctx context.Context, newest Seq, change ItemChange) (revision Seq, err error)
	// ItemChanges calls fn for the changes after a revision, in their order. It returns
	// event.ErrNotFound where the first of them are no longer kept: Items has them. A store
	// that is not shared need not keep any.
	ItemChanges(ctx context.Context, after Seq, fn func(revision Seq, change ItemChange) error) error
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
	// PutRejected stores letters under new ids, in their order.
	PutRejected(ctx context.Context, letters []DeadLetter) error
	// RejectedLetters returns up to limit letters with ids > after, in the order of ids.
	RejectedLetters(ctx context.Context, after string, limit int) ([]DeadLetter, error)
	// RejectedLetter returns event.ErrNotFound where there is none.
	RejectedLetter(ctx context.Context, id string) (DeadLetter, error)
	// DeleteRejected removes letters; an id that there is none of is no error.
	DeleteRejected(ctx context.Context, ids []string) error
}

// Evaluation is what one algorithm reached on held-out events.
type Evaluation struct {
	Algorithm string
	// Settings are what it was fitted with, by name; what is not set is not there.
	Settings map[string]float64
	Metrics  map[string]float64
	// Errors are the standard errors of Metrics that are means. Versions of before they were
	// kept have none.
	Errors map[string]float64
	Users  int
	Fit    time.Duration
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
	// Metric names what versions are compared by; "" where nothing was evaluated, and in
	// versions of before it was kept.
	Metric string
	// Protocol is what the lists that Metric is of were for: versions compare where both are the
	// same.
	Protocol string
	// Choice says why this algorithm.
	Choice string
}

// Models keeps trained versions and which one is in service. Writes are durable on return.
type Models interface {
	Sharing
	// SaveModel stores a version with its payload, all or nothing, in the place of one of
	// the same name.
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
	// SaveCheckpoint stores data in the place of what was saved under the name.
	SaveCheckpoint(ctx context.Context, name string, data []byte) error
	// Checkpoint returns event.ErrNotFound where there is none.
	Checkpoint(ctx context.Context, name string) ([]byte, error)
}

// Leases sees to it that one process at a time does what only one should.
type Leases interface {
	// Lease gives the named lease to a holder for a time, or gives its holder that time
	// anew. Where another has it, it returns event.ErrBusy. A store may round the time up to
	// whole seconds.
	Lease(ctx context.Context, name, holder string, ttl time.Duration) error
	// EndLease takes the lease from its holder, if that one still has it.
	EndLease(ctx context.Context, name, holder string) error
}

// Registers keeps small values that an operator has set up, as definitions of segments are:
// each is changed as a whole, by one process after the other.
type Registers interface {
	// Register returns a value and its version: nil and "" where it was never set.
	Register(ctx context.Context, name string) (value []byte, version string, err error)
	// SetRegister stores a value, of up to 1 MiB, durably in the place of the version that the
	// caller read, and returns the new version, which the register never had before. Where
	// another version is there by now it stores nothing and returns ErrTaken. After any other
	// error it may be stored or not.
	SetRegister(ctx context.Context, name, instead string, value []byte) (version string, err error)
}

// Stream is a second log beside Log, for what is published: for each of the log's shards
// a sequence of rows with dense numbers from 1 on. Its methods promise what those of Log do.
type Stream interface {
	// Head is as Log.Head.
	Head(ctx context.Context, shard int) (Seq, error)
	// Append is as Log.Append: durable on return, ErrTaken where the number is taken or not the next.
	Append(ctx context.Context, shard int, seq Seq, row []byte) error
	// Read is as Log.ReadLog.
	Read(ctx context.Context, shard int, from Seq, fn func(seq Seq, row []byte) error) error
	// Mark is as Log.Mark, of what is made from the stream.
	Mark(ctx context.Context, shard int) (Seq, error)
	// SetMark is as Log.SetMark: a mark that survives a crash implies that every change of
	// Memberships and Timers before it does, too.
	SetMark(ctx context.Context, shard int, mark Seq) error
	// Trim is as Log.TrimLog: the newest row always stays.
	Trim(ctx context.Context, shard int, before Seq) error
	// First returns the number of the oldest row that is kept: 1 where none was ever appended.
	First(ctx context.Context, shard int) (Seq, error)
}

// Member is what is published of one user: of which segments it is a member. Segments go by
// numbers, which are never used twice.
type Member struct {
	UserID string
	// Segments are in ascending order, each once.
	Segments []uint32
	// Due is the time of the user's next timer, in whole milliseconds, the zero time where there
	// is none.
	Due time.Time
}

// MemberChange replaces what is published of one user.
type MemberChange struct {
	// Was are the segments, in ascending order, that the user may be found in by segment before
	// the change. Where they are those of what is replaced, only what differs is written; one
	// that is only in Now is put whether the user was found in it or not.
	Was []uint32
	// Now is in the place of it; without segments and without Due nothing is kept.
	Now Member
}

// Place is a place in the list of a segment's members, which are in the order of shards and
// in each of user ids by their bytes. The zero Place is before the first.
type Place struct {
	Shard  int
	UserID string
}

// MaxStamp is the greatest stamp. Shared stores hand stamps to their servers as times in
// microseconds, and these refuse times of the future: this one is in 2005.
const MaxStamp = 1<<50 - 1

// Memberships keeps what is published of segments: the transitions, a stream of who entered
// and who left, and made from it who is in which, by user and by segment. One process at a time
// writes, but one that was replaced may not know it yet, so whatever is written carries a stamp:
// in shared stores the greatest stamp stays, of each user, of each segment that a change of the
// user enters or leaves, and of each size, whatever the order in which writes arrive. Stores that
// are not shared may take the last. Who takes over brings what is found by segment in order
// where a change of its own names, in Was or in Now, what the one before may have put.
type Memberships interface {
	// Transitions is the stream of who entered and left.
	Transitions() Stream
	// PutMembers stores changes of users of one shard, each user once, and the sizes that the
	// segments named have in that shard after them. A stamp is never used again for the same user
	// or size, but to repeat the same call: after an error part of it may be stored. In a store
	// that is not shared a call is stored as a whole or not at all.
	PutMembers(ctx context.Context, shard int, stamp uint64, changes []MemberChange, sizes map[uint32]int64) error
	// Members returns what is published of each user of a shard, in the order of userIDs: one
	// without Segments and Due of whom there is nothing. A change is returned only once all of
	// it is stored.
	Members(ctx context.Context, shard int, userIDs []string) ([]Member, error)
	// ReadSegment calls fn for the members of a segment after a place, in order. It sees at least
	// those who are in the segment from before the call until its end.
	ReadSegment(ctx context.Context, segment uint32, after Place, fn func(Place) error) error
	// SegmentSizes returns the last stored size of each of the segment's shards that has one.
	SegmentSizes(ctx context.Context, segment uint32) (map[int]int64, error)
	// DropSegment removes the members and sizes of a segment that is not published any more; the
	// numbers that Members returns may still hold it. Nothing of the segment may be put later: in
	// shared stores it is not found.
	DropSegment(ctx context.Context, segment uint32) error
}

// Timer says that a user is to be looked at once a time has come.
type Timer struct {
	At     time.Time
	UserID string
}

// Timers keeps timers by shard. Times are of whole milliseconds, and ranges may be of any length:
// what a call costs goes by the timers in them. Of a timer that is put while another call drops
// its range, either may be the outcome.
type Timers interface {
	// PutTimers stores timers of one shard; the same timer again changes nothing.
	PutTimers(ctx context.Context, shard int, timers []Timer) error
	// ReadTimers calls fn for the shard's timers in [from, until), in the order of times, and
	// of user ids at the same time.
	ReadTimers(ctx context.Context, shard int, from, until time.Time, fn func(Timer) error) error
	// DropTimers removes the shard's timers in [from, until); they may be put again.
	DropTimers(ctx context.Context, shard int, from, until time.Time) error
}
