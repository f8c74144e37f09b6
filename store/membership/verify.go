package membership

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/store"
	"github.com/attune-shop/attune/store/history"
)

const (
	// verifiedAtOnce is the number of users that are compared with one read of what is published.
	verifiedAtOnce = 500
	// maxExamples bounds the differences that a Report describes.
	maxExamples = 20
	// unsaved is by how much a checkpoint may be older than what was done.
	unsaved = time.Minute
)

// Report is what Verify found.
type Report struct {
	// Segments is the number of those that were compared; Skipped says of each other one why not.
	Segments int64
	Skipped  []string
	// Members is the number of memberships that are published of all segments.
	Members int64
	// Waiting users are looked at again by the next server that starts, for what came after its last
	// checkpoint: of these only those segments are compared that nothing of it may have moved.
	Waiting int64
	// Differences counts answers that are not what is published, answers that change before anybody
	// looks, and places where what is found by user and by segment, and sizes, are not the same.
	Differences int64
	// Examples describes the first differences.
	Examples []string
}

// PublishedAt returns the time as of which members are published, zero where none ever were.
func PublishedAt(ctx context.Context, s Store) (time.Time, error) {
	last, err := load(ctx, s)
	if err != nil {
		return time.Time{}, err
	}
	newest := time.Time{}
	for _, ms := range last.Timers {
		newest = later(newest, time.UnixMilli(ms).UTC())
	}
	r := NewReader(s)
	for shard := range s.Shards() {
		first, head, err := r.Kept(ctx, shard)
		if err != nil {
			return newest, err
		}
		for at := (time.Time{}); at.IsZero() && head >= max(first, 1); head-- { // rows of who took over have no time
			err := r.Rows(ctx, shard, head, func(_ store.Seq, of time.Time, _ []Move) error { at = of; return errEnough })
			if err != nil && !errors.Is(err, errEnough) {
				return newest, err
			}
			newest = later(newest, at)
		}
	}
	return newest, nil
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// verifier compares what is published with what rules say of everybody.
type verifier struct {
	*Publisher
	compared bits
	byShard  []verifiedShard

	mu     sync.Mutex // of what follows, and of the shards' byUser
	report Report
}

// verifiedShard is what is known of one shard.
type verifiedShard struct {
	shard
	// waiting are the users whom the next server looks at again, and for which segments.
	waiting map[string]bits
	// unprojected says that there are rows that the next server makes members of.
	unprojected bool
	timers      map[timerKey]struct{}
	// users are all whom the scan came by.
	users map[string]struct{}
	// byUser counts members by the number of their segment.
	byUser map[uint32]int64
}

// timerKey is a timer by the milliseconds of its time.
type timerKey struct {
	at     int64
	userID string
}

// Verify asks everybody's rules as of options.Now, which should be when members were last published,
// and compares. It changes nothing, and nothing may be published meanwhile. Whoever has a timer
// takes about 100 bytes of memory meanwhile, and every user as much.
func Verify(ctx context.Context, options Options) (Report, error) {
	v := &verifier{Publisher: &Publisher{options: options, edition: options.Book.Current()}}
	if len(v.edition.Segments) == 0 {
		return v.report, nil
	}
	if err := v.restore(ctx); err != nil {
		return v.report, err
	}
	v.choose()
	v.byShard = make([]verifiedShard, options.Store.Shards())
	for n := range v.byShard {
		v.byShard[n] = verifiedShard{
			shard: shard{number: n}, waiting: map[string]bits{}, timers: map[timerKey]struct{}{}, users: map[string]struct{}{}, byUser: map[uint32]int64{},
		}
		if err := v.readShard(ctx, &v.byShard[n]); err != nil {
			return v.report, fmt.Errorf("shard %d: %w", n, err)
		}
	}
	for _, verify := range []func(context.Context) error{v.readLog, v.compareUsers, v.compareSegments} {
		if err := verify(ctx); err != nil {
			return v.report, err
		}
	}
	return v.report, nil
}

// choose says which segments can be compared.
func (v *verifier) choose() {
	v.compared = newBits(len(v.edition.Segments))
	_, pending := v.pending(v.edition)
	for i, rule := range v.edition.Rules {
		why := ""
		switch _, unasked := pending[v.edition.Segments[i].Number]; {
		case rule == nil:
			why = "its rule is not understood"
		case unasked:
			why = "not everybody was asked yet"
		case rule.Reads().Catalog:
			why = "a change of the catalog is published with a user's next event"
		default:
			v.compared.set(i)
			v.report.Segments++
			continue
		}
		v.report.Skipped = append(v.report.Skipped, fmt.Sprintf("%s: %s", v.edition.Segments[i].ID, why))
	}
}

// readShard reads what a server would go on with: rows that are not projected, and timers.
func (v *verifier) readShard(ctx context.Context, s *verifiedShard) error {
	stream := v.options.Store.Transitions()
	mark, err := stream.Mark(ctx, s.number)
	if err != nil {
		return err
	}
	err = NewReader(v.options.Store).Rows(ctx, s.number, mark+1, func(_ store.Seq, _ time.Time, moves []Move) error {
		for _, move := range moves {
			s.waiting[move.UserID], s.unprojected = nil, true
		}
		return nil
	})
	if err != nil {
		return err
	}
	const never = 9999 // the last year that rules know
	until := time.Date(never, time.December, 31, 0, 0, 0, 0, time.UTC)
	return v.options.Store.ReadTimers(ctx, s.number, v.place.timers(s.number), until, func(t store.Timer) error {
		s.timers[timerKey{t.At.UnixMilli(), t.UserID}] = struct{}{}
		return nil
	})
}

// readLog notes whom events after the checkpoint may have moved.
func (v *verifier) readLog(ctx context.Context) error {
	from, head := v.place.cursor(), v.options.Log.Cursor()
	behind := func() bool {
		for n, seq := range head {
			if from[n] < seq {
				return true
			}
		}
		return false
	}
	if from == nil || !behind() {
		return nil // where nothing is followed no segment is compared
	}
	f, err := newFollower(ctx, v.Publisher)
	if err != nil {
		return err
	}
	v.dirty.reset(nil)
	reading, stop := context.WithCancel(ctx)
	defer stop()
	err = v.options.Log.Follow(reading, maps.Clone(from), func(n int, seq store.Seq, events []event.Event) error {
		for i := range events {
			if err := f.noteEvent(v.edition, &events[i]); err != nil {
				return err
			}
		}
		if from[n] = seq; !behind() {
			stop()
		}
		return nil
	})
	if err != nil && (ctx.Err() != nil || reading.Err() == nil) {
		return err
	}
	_, users, _ := v.dirty.take()
	for id, which := range users {
		waiting := v.byShard[store.ShardOf(event.User(id), len(v.byShard))].waiting
		if before, noted := waiting[id]; noted {
			which = which.or(before)
		}
		waiting[id] = which
	}
	return nil
}

// compareUsers asks the rules about every user there is.
func (v *verifier) compareUsers(ctx context.Context) error {
	once := func(n int, userID string) bool {
		_, again := v.byShard[n].users[userID]
		v.byShard[n].users[userID] = struct{}{}
		return !again
	}
	return v.inBatches(ctx, v.readers(), verifiedAtOnce, once, func(ctx context.Context, n int, users []question) error {
		return v.compareBatch(ctx, &v.byShard[n], users)
	})
}

func (v *verifier) compareBatch(ctx context.Context, s *verifiedShard, users []question) error {
	ids := make([]string, len(users))
	for i := range users {
		ids[i] = users[i].userID
	}
	members, err := v.options.Store.Members(ctx, s.number, ids)
	if err != nil {
		return fmt.Errorf("what is published of users: %w", err)
	}
	persons, err := v.persons(ctx, &s.shard, users, func(int) bool { return true })
	if err != nil {
		return err
	}
	for i := range users {
		v.compareUser(s, &users[i], &persons[i], &members[i])
	}
	return nil
}

// compareUser compares what rules say of one user with what is published.
func (v *verifier) compareUser(s *verifiedShard, q *question, person *history.Person, member *store.Member) {
	now := v.options.Now()
	moved, waits := s.waiting[q.userID]
	if !member.Due.IsZero() && !member.Due.After(now) && !member.Due.Before(v.place.timers(s.number)) {
		moved, waits = nil, true // its timer is about to ring
	}
	subject, until := v.options.Subject(person, now), time.Time{}
	v.mu.Lock()
	defer v.mu.Unlock()
	for i, rule := range v.edition.Rules {
		if !v.compared.has(i) || waits && moved.has(i) {
			continue
		}
		_, was := slices.BinarySearch(member.Segments, v.edition.Segments[i].Number)
		is, holds, err := rule.Evaluate(subject)
		is = is && err == nil && person.State.Events() > 0
		until = earlier(until, holds)
		if is != was {
			v.differ("segment %q: user %q is in it: %v, published: %v", v.edition.Segments[i].ID, q.userID, is, was)
		}
	}
	for _, number := range member.Segments {
		s.byUser[number]++
	}
	if waits {
		v.report.Waiting++
		return
	}
	v.compareDue(s, q.userID, member.Due, until)
}

// compareDue holds a user's timer to until when its answers hold. v.mu is held.
func (v *verifier) compareDue(s *verifiedShard, userID string, due, until time.Time) {
	if _, there := s.timers[timerKey{due.UnixMilli(), userID}]; !due.IsZero() && !there {
		v.differ("user %q: no timer at %v, when it is to be looked at", userID, due)
	}
	// What turns soon after the checkpoint may have been looked at since.
	if until.After(v.options.Now().Add(unsaved)) && (due.IsZero() || due.After(until.Add(ringEvery))) {
		v.differ("user %q: its answers hold until %v, and it is looked at at %v", userID, until, due)
	}
}

// compareSegments compares what is found by segment with what is found by user, and with the sizes.
func (v *verifier) compareSegments(ctx context.Context) error {
	for i := range v.edition.Segments {
		if err := v.compareSegment(ctx, &v.edition.Segments[i]); err != nil {
			return fmt.Errorf("segment %q: %w", v.edition.Segments[i].ID, err)
		}
	}
	return nil
}

func (v *verifier) compareSegment(ctx context.Context, segment *Segment) error {
	counts := make([]int64, len(v.byShard))
	err := v.options.Store.ReadSegment(ctx, segment.Number, store.Place{}, func(at store.Place) error {
		counts[at.Shard]++
		if _, known := v.byShard[at.Shard].users[at.UserID]; !known {
			v.differ("segment %q: member %q, of whom nothing is known", segment.ID, at.UserID)
		}
		return nil
	})
	if err != nil {
		return err
	}
	sizes, err := v.options.Store.SegmentSizes(ctx, segment.Number)
	if err != nil {
		return err
	}
	for n := range v.byShard {
		s := &v.byShard[n]
		v.report.Members += counts[n]
		if byUser := s.byUser[segment.Number]; !s.unprojected && (counts[n] != byUser || counts[n] != sizes[n]) {
			v.differ("segment %q, shard %d: %d members by segment, %d by user, a size of %d", segment.ID, n, counts[n], byUser, sizes[n])
		}
	}
	return nil
}

// differ counts a difference and describes it, if it is one of the first. v.mu is held, or nobody else is
// at work.
func (v *verifier) differ(format string, args ...any) {
	v.report.Differences++
	if len(v.report.Examples) < maxExamples {
		v.report.Examples = append(v.report.Examples, fmt.Sprintf(format, args...))
	}
}
