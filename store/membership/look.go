package membership

import (
	"cmp"
	"context"
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

// ask reads what is published of users, evaluates the rules, and returns an answer for each question, in
// their order. s.mu is held.
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
