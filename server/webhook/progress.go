package webhook

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/attune-shop/attune/store"
	"github.com/attune-shop/attune/store/register"
)

// progressRegister is the name of the register that says how far a webhook is.
func progressRegister(number uint32) string { return fmt.Sprintf("webhook/%d", number) }

// place is one in the changes of a shard: all rows up to Seq, and of the row after it as many
// moves as Skip says.
type place struct {
	Seq  store.Seq `json:"seq"`
	Skip int       `json:"skip,omitempty"`
}

// shardProgress is how far a webhook is in one shard.
type shardProgress struct {
	// Done is the place up to which everything is delivered, dead-lettered or of no interest.
	Done place `json:"done"`
	// To is where the delivery ends that was begun after Done, nil where there is none. It is noted
	// before the first try: whoever goes on after a crash sends the same under the same id.
	To *place `json:"to,omitempty"`
	// Revision is the list of segments that the delivery was made by.
	Revision uint32 `json:"revision,omitempty"`
	// Tries have failed since Since.
	Tries int64     `json:"tries,omitempty"`
	Since time.Time `json:"since,omitzero"`
}

// progress is how far a webhook is, as it is stored.
type progress struct {
	Version int             `json:"version"`
	Shards  []shardProgress `json:"shards"`
	// Changes is how often the webhook was changed when its tries began.
	Changes uint32 `json:"changes,omitempty"`
	// Delivered is the number of changes that were taken, the last of them at LastDelivered.
	Delivered     int64     `json:"delivered"`
	LastDelivered time.Time `json:"last_delivered,omitzero"`
	// LastError is why the last try failed that did, at LastFailed; Failures is the number of tries that
	// failed since one was taken.
	LastError  string    `json:"last_error,omitempty"`
	LastFailed time.Time `json:"last_failed,omitzero"`
	Failures   int64     `json:"failures,omitempty"`
	// Missed is the number of rows that were deleted before they were delivered.
	Missed int64 `json:"missed,omitempty"`
}

// Form implements register.Formed.
func (p *progress) Form() *int { return &p.Version }

// begin gives a new webhook its first places, and one that was changed its tries anew: it may have
// been mended, or paused for longer than a delivery is tried.
func (p *progress) begin(h *hook) {
	if len(p.Shards) != len(h.Start) {
		p.Shards = make([]shardProgress, len(h.Start))
		for n, seq := range h.Start {
			p.Shards[n].Done.Seq = seq
		}
	}
	if p.Changes != h.Changes {
		p.Changes = h.Changes
		for n := range p.Shards {
			p.Shards[n].Tries, p.Shards[n].Since = 0, time.Time{}
		}
	}
}

// ledger keeps the progress of a webhook for the one process that delivers. What many shards change
// at the same time is stored with one write.
type ledger struct {
	registers store.Registers
	name      string

	mu       sync.Mutex
	progress progress
	changes  int // counts what was changed

	saving  sync.Mutex
	saved   int // is what changes was when the register was last written
	version string
}

// openLedger reads the progress, and writes it, so that a process that delivered before, and does
// not know that it does no more, can store nothing and begins nothing.
func openLedger(ctx context.Context, registers store.Registers, h *hook) (*ledger, error) {
	l := &ledger{registers: registers, name: progressRegister(h.Number)}
	var err error
	if l.progress, l.version, err = register.Read[progress](ctx, registers, l.name); err != nil {
		return nil, err
	}
	l.progress.begin(h)
	l.changes++
	return l, l.save(ctx)
}

// shard returns how far one shard is.
func (l *ledger) shard(n int) shardProgress {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.progress.Shards[n]
}

// change changes the progress; save makes that durable.
func (l *ledger) change(do func(*progress)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	do(&l.progress)
	l.changes++
}

// save returns once everything that was changed before is durable. Where another process has
// written the register it returns store.ErrTaken.
func (l *ledger) save(ctx context.Context) error {
	l.mu.Lock()
	wanted := l.changes
	l.mu.Unlock()
	l.saving.Lock()
	defer l.saving.Unlock()
	if l.saved >= wanted {
		return nil // somebody else's write had it
	}
	l.mu.Lock()
	now, copied := l.changes, l.progress
	copied.Shards = append([]shardProgress(nil), copied.Shards...)
	l.mu.Unlock()
	version, err := register.Write(ctx, l.registers, l.name, l.version, &copied)
	if err != nil {
		return err
	}
	l.version, l.saved = version, now
	return nil
}
