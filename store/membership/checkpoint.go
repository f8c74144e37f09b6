package membership

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"sync"
	"time"

	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/store"
	"github.com/attune-shop/attune/store/history"
	"github.com/attune-shop/attune/store/repeat"
)

const (
	// checkpointName is that of how far everything is.
	checkpointName = "segments"
	// progressName is that of the progress of a sweep, for other processes.
	progressName = "segments/progress"
	// saveEvery is the time between two checkpoints: how much may be done again after a crash.
	saveEvery = 2 * time.Second
	// clockSkew is by how much the clocks of processes that publish one after the other may differ.
	clockSkew = time.Minute
)

// checkpointVersion is the newest form that is known here.
const checkpointVersion = 1

// saved is how far everything is, as it is stored. What is done twice changes nothing, so it may
// be older than what was done.
type saved struct {
	Version int `json:"version"`
	// Log is the place in the log up to which events are taken in; nil where none are followed.
	Log history.Cursor `json:"log,omitempty"`
	// Timers is, for each shard, the time before which timers have rung, in ms since 1970.
	Timers []int64 `json:"timers"`
	// Swept is the basis by which every user was asked for a segment, by number.
	Swept map[uint32]string `json:"swept"`
	// Users is their number when all were last asked.
	Users int64 `json:"users"`
}

// place is how far everything is. Its methods may be called concurrently.
type place struct {
	mu    sync.Mutex
	saved saved
	// saving lets one at a time save. Under it, dropped is, for each shard, the time before which
	// timers are deleted, and marked the mark of its transitions as it was last set.
	saving  sync.Mutex
	dropped []int64
	marked  []store.Seq
}

func (p *place) cursor() history.Cursor {
	p.mu.Lock()
	defer p.mu.Unlock()
	return maps.Clone(p.saved.Log)
}

// begin notes that events are followed from a place on.
func (p *place) begin(cursor history.Cursor) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.saved.Log = cursor
}

// reach notes that events up to a place are taken in. Where none are followed there is nothing to note: who
// takes users may still be at those of before.
func (p *place) reach(cursor history.Cursor) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.saved.Log != nil && cursor != nil {
		p.saved.Log = cursor
	}
}

// forget notes that there is no segment, and that nothing is followed.
func (p *place) forget() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.saved.Log, p.saved.Swept = nil, map[uint32]string{}
}

func (p *place) timers(shard int) time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	return time.UnixMilli(p.saved.Timers[shard]).UTC()
}

func (p *place) ringed(shard int, until time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.saved.Timers[shard] = until.UnixMilli()
}

func (p *place) swept(number uint32) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.saved.Swept[number]
}

// sweptAll notes that so many users were asked, for the segments of an edition that have a basis in bases. What
// was noted of deleted ones goes.
func (p *place) sweptAll(e *Edition, bases map[uint32]string, users int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	maps.Copy(p.saved.Swept, bases)
	defined := make(map[uint32]bool, len(e.Segments))
	for i := range e.Segments {
		defined[e.Segments[i].Number] = true
	}
	maps.DeleteFunc(p.saved.Swept, func(number uint32, _ string) bool { return !defined[number] })
	p.saved.Users = users
}

// rewind tells whether timers have rung up to a time that is far ahead of now, for the clock was put back; then
// it takes back that they have, and that anybody was asked for anything: what was published meanwhile was as of
// another time.
func (p *place) rewind(now time.Time) bool {
	p.saving.Lock() // and with it dropped
	defer p.saving.Unlock()
	p.mu.Lock()
	defer p.mu.Unlock()
	ms, back := now.UnixMilli(), false
	for n, rung := range p.saved.Timers {
		if rung > ms+clockSkew.Milliseconds() {
			p.saved.Timers[n], p.dropped[n], back = ms, min(p.dropped[n], ms), true
		}
	}
	if back {
		p.saved.Swept = map[uint32]string{}
	}
	return back
}

func (p *place) users() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.saved.Users
}

// load reads the last checkpoint; one that knows nothing where there is none, or a damaged one. A newer
// form is event.ErrNewerVersion.
func load(ctx context.Context, checkpoints store.Checkpoints) (saved, error) {
	var last saved
	data, err := checkpoints.Checkpoint(ctx, checkpointName)
	if err == nil && json.Unmarshal(data, &last) != nil {
		err = event.ErrCorrupt
	}
	switch {
	case errors.Is(err, event.ErrNotFound), errors.Is(err, event.ErrCorrupt):
		return saved{Version: checkpointVersion}, nil
	case err != nil:
		return saved{}, fmt.Errorf("segments: %w", err)
	case last.Version > checkpointVersion:
		return saved{}, fmt.Errorf("segments: checkpoint of form %d: %w", last.Version, event.ErrNewerVersion)
	}
	return last, nil
}

// restore goes back to the last checkpoint. Without one everybody is asked for everything again,
// which publishes what is different from what was.
func (p *Publisher) restore(ctx context.Context) error {
	shards := p.options.Store.Shards()
	last, err := load(ctx, p.options.Store)
	if err != nil {
		return err
	}
	if len(last.Timers) != shards {
		last.Timers = make([]int64, shards) // so that every timer there is rings
		last.Swept = nil
	}
	if last.Swept == nil {
		last.Swept = map[uint32]string{}
	}
	p.place.mu.Lock()
	defer p.place.mu.Unlock()
	p.place.saved = last
	p.place.dropped = append([]int64(nil), last.Timers...)
	p.place.marked = make([]store.Seq, shards)
	return nil
}

// checkpoint saves how far everything is, until ctx ends.
func (p *Publisher) checkpoint(ctx context.Context) error {
	return ended(ctx, repeat.Every(ctx, saveEvery, p.save))
}

// save moves the marks of the transitions, saves a checkpoint, and deletes the timers that have
// rung by it.
func (p *Publisher) save(ctx context.Context) error {
	p.place.saving.Lock()
	defer p.place.saving.Unlock()
	for _, s := range p.shards {
		s.mu.Lock()
		projected := s.projected
		s.mu.Unlock()
		if projected == p.place.marked[s.number] {
			continue
		}
		if err := p.options.Store.Transitions().SetMark(ctx, s.number, projected); err != nil {
			return fmt.Errorf("mark of the transitions of shard %d: %w", s.number, err)
		}
		p.place.marked[s.number] = projected
	}
	p.place.mu.Lock()
	data, err := json.Marshal(p.place.saved)
	timers := append([]int64(nil), p.place.saved.Timers...)
	p.place.mu.Unlock()
	if err != nil {
		return fmt.Errorf("segments: %w", err)
	}
	if err := p.options.Store.SaveCheckpoint(ctx, checkpointName, data); err != nil {
		return fmt.Errorf("segments: %w", err)
	}
	if err := p.saveProgress(ctx); err != nil {
		return err
	}
	return p.dropTimers(ctx, timers)
}

// saveProgress lets other processes know how far a sweep is.
func (p *Publisher) saveProgress(ctx context.Context) error {
	if !p.options.Store.Shared() {
		return nil
	}
	data, err := json.Marshal(p.progress.Load())
	if err == nil {
		err = p.options.Store.SaveCheckpoint(ctx, progressName, data)
	}
	if err != nil {
		return fmt.Errorf("progress of segments: %w", err)
	}
	return nil
}

// dropTimers deletes the timers before the given times, in ms since 1970, a shard each. Where less than a
// minute has come since, it waits: not every checkpoint is to delete something. p.place.saving is held.
func (p *Publisher) dropTimers(ctx context.Context, until []int64) error {
	const least = int64(time.Minute / time.Millisecond)
	for n, until := range until {
		from := p.place.dropped[n]
		if until-from < least {
			continue
		}
		if err := p.options.Store.DropTimers(ctx, n, time.UnixMilli(from).UTC(), time.UnixMilli(until).UTC()); err != nil {
			return fmt.Errorf("timers of shard %d: %w", n, err)
		}
		p.place.dropped[n] = until
	}
	return nil
}
