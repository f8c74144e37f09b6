package membership

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/model/feature"
	"github.com/attune-shop/attune/store"
	"github.com/attune-shop/attune/store/history"
)

// lookAtOnce is the number of users that are looked at while a shard is held: what is appended of
// them waits for the disk once, and who else is to be looked at waits for them.
const lookAtOnce = 5_000

// question asks which segments a user is in.
type question struct {
	userID string
	// which are the segments to ask for; nil is all.
	which bits
	// seen is what a scan found of the user, nil where features have to be read.
	seen *history.Sighting
	// due says that a timer asks: there is nothing to do unless it is the user's.
	due bool
}

// byUser orders questions as the store has the users: what is asked in order is read in few places.
func byUser(a, b question) int { return cmp.Compare(a.userID, b.userID) }

// answer is what became of a question.
type answer struct {
	transition
	was, now store.Member
	asked    bool
}

// look asks which segments of an edition users of one shard are in, each user once, and publishes
// what is different from what was published last. Where there is another edition by now it asks for
// all of that one. After an error the same call again does what was not done.
func (p *Publisher) look(ctx context.Context, s *shard, e *Edition, questions []question) error {
	for chunk := range slices.Chunk(questions, lookAtOnce) {
		if err := p.lookAt(ctx, s, e, chunk); err != nil {
			return err
		}
	}
	return nil
}

func (p *Publisher) lookAt(ctx context.Context, s *shard, e *Edition, questions []question) error {
	p.editing.RLock()
	defer p.editing.RUnlock()
	if e != p.edition {
		for i := range questions {
			questions[i].which = nil
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := p.catchUp(ctx, s); err != nil {
		return err
	}
	now := p.options.Now()
	answers, err := p.ask(ctx, s, questions, now)
	if err != nil {
		return err
	}
	// Whatever fails from here on, rows may be there that are not projected.
	s.unsure = true
	if s.written > manyStamps {
		if err := p.appendRow(ctx, s, newRow(time.Time{})); err != nil {
			return err
		}
	}
	if err := p.appendTransitions(ctx, s, answers, now); err != nil {
		return err
	}
	if err := p.store(ctx, s, answers); err != nil {
		return err
	}
	s.projected, s.unsure = s.head, false
	return nil
}

// ask evaluates; s.mu is held.
func (p *Publisher) ask(ctx context.Context, s *shard, questions []question, now time.Time) ([]answer, error) {
	ids := make([]string, len(questions))
	for i := range questions {
		ids[i] = questions[i].userID
	}
	members, err := p.options.Store.Members(ctx, s.number, ids)
	if err != nil {
		return nil, fmt.Errorf("what is published of users: %w", err)
	}
	answers := make([]answer, len(questions))
	group, asking := errgroup.WithContext(ctx)
	group.SetLimit(p.readers())
	part := min(max(len(questions)/p.readers(), 16), readAtOnce)
	for from := 0; from < len(questions); from += part {
		to := min(from+part, len(questions))
		group.Go(func() error { return p.askSome(asking, s, questions[from:to], members[from:to], answers[from:to], now) })
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	if s.touched != nil {
		for i := range questions {
			if questions[i].seen == nil {
				s.touched[questions[i].userID] = struct{}{}
			}
		}
	}
	return answers, nil
}

// readAtOnce is the number of users whose features are read in one call and held in memory.
const readAtOnce = 256

// readers is how many users' features are read at the same time: other servers take their time
// to answer, a folder takes a processor's.
func (p *Publisher) readers() int {
	if p.options.Store.Shared() {
		return 32
	}
	return max(1, runtime.GOMAXPROCS(0)/2)
}

// askSome asks about users of whom members are published, and says so in answers.
func (p *Publisher) askSome(ctx context.Context, s *shard, questions []question, members []store.Member, answers []answer, now time.Time) error {
	for i := range questions {
		answers[i].asked = !questions[i].due || !members[i].Due.IsZero() && !members[i].Due.After(now)
	}
	persons, err := p.persons(ctx, s, questions, func(i int) bool { return answers[i].asked })
	if err != nil {
		return err
	}
	for i := range questions {
		if answers[i].asked {
			p.askOne(s, &questions[i], &persons[i], &members[i], &answers[i], now)
		}
	}
	return nil
}

// persons returns who the users are that questions ask about, as far as they are wanted, at the places
// of these.
func (p *Publisher) persons(ctx context.Context, s *shard, questions []question, wanted func(i int) bool) ([]history.Person, error) {
	persons := make([]history.Person, len(questions))
	var toRead []event.Visitor
	var places []int // in questions, of those to read
	for i := range questions {
		if !wanted(i) {
			continue
		}
		user := event.User(questions[i].userID)
		state, err := s.seen(&questions[i])
		if err != nil {
			return nil, err
		}
		if state == nil {
			toRead, places = append(toRead, user), append(places, i)
			continue
		}
		persons[i] = history.Person{Visitor: user, State: state}
	}
	read, err := p.options.People.Users(ctx, toRead)
	if err != nil {
		return nil, err
	}
	for n, i := range places {
		persons[i] = read[n]
	}
	for i := range persons {
		if persons[i].State != nil && p.options.Retain != nil {
			persons[i].State = p.options.Retain(persons[i].State)
		}
	}
	return persons, nil
}

// seen returns what a scan saw of a user, unless the user was looked at since; nil says to read it.
func (s *shard) seen(q *question) (*feature.State, error) {
	if q.seen == nil {
		return nil, nil
	}
	if _, touched := s.touched[q.userID]; touched {
		return nil, nil
	}
	return q.seen.State()
}

// askOne evaluates the rules that are asked for.
func (p *Publisher) askOne(s *shard, q *question, person *history.Person, member *store.Member, a *answer, now time.Time) {
	a.userID = q.userID
	a.was = *member
	a.now = store.Member{UserID: q.userID, Due: member.Due}
	subject := p.options.Subject(person, now)
	known := person.State.Events() > 0
	var until time.Time
	for i, rule := range p.edition.Rules {
		number := p.edition.Segments[i].Number
		_, was := slices.BinarySearch(member.Segments, number)
		is := was
		if rule != nil && q.which.has(i) {
			is = false
			if known {
				var holds time.Time
				var err error
				is, holds, err = rule.Evaluate(subject)
				is = is && err == nil // a rule that cannot be answered is not true
				until = earlier(until, holds)
			}
		}
		switch {
		case is && !was:
			a.entered = append(a.entered, number)
		case was && !is:
			a.left = append(a.left, number)
		}
		if is {
			a.now.Segments = append(a.now.Segments, number)
		}
	}
	slices.Sort(a.now.Segments)
	slices.Sort(a.entered)
	slices.Sort(a.left)
	a.now.Due = p.due(s, member.Due, until, q.which == nil, now)
}

// due returns when a user's answers can change next by time alone, given when that was said to be
// before, and until when the answers that were asked for hold. A timer that rings too early
// costs one look, so one that is there already is kept where it rings before.
func (p *Publisher) due(s *shard, before, until time.Time, all bool, now time.Time) time.Time {
	if !until.IsZero() {
		// Timers are of whole milliseconds, and none is set where they were looked for already.
		until = until.Add(time.Millisecond - 1).Truncate(time.Millisecond)
		if until.Before(s.rung) {
			until = s.rung
		}
	}
	if before.After(now) && (until.IsZero() || !before.After(until)) {
		return before
	}
	if !all && !before.IsZero() && !before.After(now) {
		return earlier(before, until) // its timer has yet to ring
	}
	return until
}

// earlier returns the earlier of two times, of which zero is never.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// appendTransitions appends who entered and left; s.mu is held.
func (p *Publisher) appendTransitions(ctx context.Context, s *shard, answers []answer, now time.Time) error {
	var row []byte
	flush := func() error {
		if row == nil {
			return nil
		}
		err := p.appendRow(ctx, s, row)
		row = nil
		return err
	}
	for i := range answers {
		a := &answers[i]
		if len(a.entered)+len(a.left) == 0 {
			continue
		}
		if row == nil {
			row = newRow(now)
		}
		if row = a.append(row); len(row) >= maxRowBytes {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	return flush()
}

// appendRow appends a row to the transitions; s.mu is held.
func (p *Publisher) appendRow(ctx context.Context, s *shard, row []byte) error {
	err := p.options.Store.Transitions().Append(ctx, s.number, s.head+1, row)
	switch {
	case errors.Is(err, store.ErrTaken):
		return fmt.Errorf("another process publishes segments: %w", event.ErrUnavailable)
	case err != nil:
		return fmt.Errorf("transitions of shard %d: %w", s.number, err)
	}
	s.advance(s.head + 1)
	return nil
}

// store stores what the answers changed, timers first: where a user is said to have one, there is
// one. s.mu is held.
func (p *Publisher) store(ctx context.Context, s *shard, answers []answer) error {
	var timers []store.Timer
	var changes []store.MemberChange
	sizes := map[uint32]int64{}
	for i := range answers {
		a := &answers[i]
		if !a.asked || a.was.Due.Equal(a.now.Due) && slices.Equal(a.was.Segments, a.now.Segments) {
			continue
		}
		if !a.now.Due.IsZero() && !a.now.Due.Equal(a.was.Due) {
			timers = append(timers, store.Timer{At: a.now.Due, UserID: a.userID})
		}
		changes = append(changes, store.MemberChange{Was: a.was.Segments, Now: a.now})
		s.count(sizes, &a.transition)
	}
	if len(timers) > 0 {
		if err := p.options.Store.PutTimers(ctx, s.number, timers); err != nil {
			return fmt.Errorf("timers of shard %d: %w", s.number, err)
		}
	}
	if len(changes) == 0 {
		return nil
	}
	if err := p.options.Store.PutMembers(ctx, s.number, s.stamp(), changes, sizes); err != nil {
		return fmt.Errorf("members of shard %d: %w", s.number, err)
	}
	return nil
}

// count takes a transition into the shard's sizes and notes which of them changed.
func (s *shard) count(changed map[uint32]int64, t *transition) {
	for _, n := range t.entered {
		s.sizes[n]++
		changed[n] = s.sizes[n]
	}
	for _, n := range t.left {
		s.sizes[n]--
		changed[n] = s.sizes[n]
	}
}

// catchUp brings what is found by user and by segment up to the last row, where an error or a
// crash left it behind; s.mu is held, or nobody else has s yet. Sizes are counted anew.
func (p *Publisher) catchUp(ctx context.Context, s *shard) error {
	if !s.unsure {
		return nil
	}
	stream := p.options.Store.Transitions()
	changed := map[uint32]int64{}
	err := stream.Read(ctx, s.number, s.projected+1, func(seq store.Seq, row []byte) error {
		_, all, err := decodeRow(row)
		if err != nil {
			return fmt.Errorf("row %d of shard %d: %w", seq, s.number, err)
		}
		if seq > s.head {
			s.advance(seq)
		}
		if err := p.project(ctx, s, all, changed); err != nil {
			return err
		}
		s.projected = seq
		return nil
	})
	if err != nil {
		return fmt.Errorf("transitions of shard %d: %w", s.number, err)
	}
	for number := range changed {
		size, err := p.countMembers(ctx, s.number, number)
		if err != nil {
			return err
		}
		s.sizes[number], changed[number] = size, size
	}
	if len(changed) > 0 {
		if err := p.options.Store.PutMembers(ctx, s.number, s.stamp(), nil, changed); err != nil {
			return err
		}
	}
	s.unsure = false
	return nil
}

// project stores what a row says of its users.
func (p *Publisher) project(ctx context.Context, s *shard, all []transition, changed map[uint32]int64) error {
	if len(all) == 0 {
		return nil
	}
	ids := make([]string, len(all))
	for i := range all {
		ids[i] = all[i].userID
	}
	members, err := p.options.Store.Members(ctx, s.number, ids)
	if err != nil {
		return err
	}
	changes := make([]store.MemberChange, len(all))
	for i, t := range all {
		now := members[i]
		now.UserID = t.userID
		now.Segments = slices.DeleteFunc(slices.Clone(now.Segments), func(n uint32) bool { return slices.Contains(t.left, n) })
		now.Segments = append(now.Segments, t.entered...)
		slices.Sort(now.Segments)
		now.Segments = slices.Compact(now.Segments)
		// Of what the row says nothing is taken as known, so that it is stored whatever was.
		changes[i] = store.MemberChange{Was: t.left, Now: now}
		for _, n := range append(t.entered, t.left...) {
			changed[n] = 0
		}
	}
	return p.options.Store.PutMembers(ctx, s.number, s.stamp(), changes, nil)
}

// countMembers counts a segment's members in a shard.
func (p *Publisher) countMembers(ctx context.Context, shard int, number uint32) (n int64, err error) {
	err = p.options.Store.ReadSegment(ctx, number, store.Place{Shard: shard}, func(at store.Place) error {
		if at.Shard != shard {
			return errEnough
		}
		n++
		return nil
	})
	if errors.Is(err, errEnough) {
		err = nil
	}
	return n, err
}

// errEnough ends a read that has what it wants.
var errEnough = errors.New("enough")
