package audience

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/attune-shop/attune/model/cf/feedback"
	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/model/likeness"
	"github.com/attune-shop/attune/model/segment"
	"github.com/attune-shop/attune/store/history"
	"github.com/attune-shop/attune/store/membership"
)

// lookalikesName precedes the seed's id in the name of the register which holds a profile, and of the lease
// held by who learns one.
const lookalikesName = "lookalikes-"

// LookalikesModel is what was learned of a segment, the seed. It is immutable.
type LookalikesModel struct {
	Stamp
	// SeedNumber and SeedRevision are those of the segment whose members it was learned from.
	SeedNumber   uint32            `json:"seed_number"`
	SeedRevision uint32            `json:"seed_revision"`
	Report       *likeness.Report  `json:"report"`
	Profile      *likeness.Profile `json:"profile"`
}

func (m *LookalikesModel) worth() (auc, baseline float64) {
	return m.Report.Likeness.Value, m.Report.Activity.Value
}

// UnmarshalJSON holds what is read to being whole.
func (m *LookalikesModel) UnmarshalJSON(data []byte) error {
	type plain LookalikesModel
	if err := json.Unmarshal(data, (*plain)(m)); err != nil {
		return err
	}
	if m.Profile == nil || m.Report == nil || m.Version < 1 {
		return fmt.Errorf("no profile: %w", event.ErrCorrupt)
	}
	return nil
}

// LookalikesOptions are what Lookalikes are made of.
type LookalikesOptions struct {
	Crowd *Crowd
	Book  *membership.Book
	// Subject is what rules are asked about of a person at a time.
	Subject func(person *history.Person, now time.Time) *segment.Subject
	// Weights say how much interest events show.
	Weights feedback.Weights
	Store   Store
	// Now is the clock.
	Now    func() time.Time
	Logger *slog.Logger
}

// Lookalikes learns who is like the members of segments. Its methods may be called concurrently.
type Lookalikes struct {
	options LookalikesOptions
	// learners has those of seeds, by id.
	learners sync.Map
	// fitting is held by who fits: a seed takes up to 200 MB of samples.
	fitting sync.Mutex
}

type lookalikesLearner = learner[LookalikesModel, *LookalikesModel]

// OpenLookalikes reads what was learned of the segments to which others read likeness.
func OpenLookalikes(ctx context.Context, options LookalikesOptions) (*Lookalikes, error) {
	l := &Lookalikes{options: options}
	for _, id := range seedsOf(options.Book.Current()) {
		if err := l.learner(id).open(ctx); err != nil {
			return nil, err
		}
	}
	return l, nil
}

// seedsOf returns the ids of the segments to which others read likeness, in order.
func seedsOf(e *membership.Edition) []string {
	var all []string
	for _, rule := range e.Rules {
		if rule != nil {
			all = append(all, rule.Reads().Seeds...)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func (l *Lookalikes) learner(id string) *lookalikesLearner {
	if known, ok := l.learners.Load(id); ok {
		return known.(*lookalikesLearner)
	}
	o := &l.options
	made := newLearner[LookalikesModel](lookalikesName+id, fmt.Sprintf("lookalikes of %q", id), o.Store, o.Now, o.Logger)
	known, _ := l.learners.LoadOrStore(id, made)
	return known.(*lookalikesLearner)
}

// Current returns the newest model of a seed that is known here, nil where there is none.
func (l *Lookalikes) Current(of *membership.Segment) *LookalikesModel {
	learned := l.learner(of.ID).current.Load()
	if learned == nil || learned.SeedNumber != of.Number { // of one that was deleted
		return nil
	}
	return learned
}

// Newest looks for what other processes learned of a seed, and returns the newest model, nil where there is none.
func (l *Lookalikes) Newest(ctx context.Context, of *membership.Segment) (*LookalikesModel, error) {
	err := l.learner(of.ID).open(ctx)
	return l.Current(of), err
}

// Learn learns a model of a seed, stores it, and puts it in service here. One process learns at a time, and of
// one seed; another call gets event.ErrBusy. An error wraps event.ErrNotFound where there is no such segment, and
// likeness.ErrTooFew where it has too few members; of one that reads likeness itself it is an
// *event.InvalidError of "segment_id".
func (l *Lookalikes) Learn(ctx context.Context, id string) (*LookalikesModel, error) {
	return l.learn(ctx, id, func(*membership.Segment, *LookalikesModel) bool { return true })
}

// learn learns where that is still due of the seed once the lease is held.
func (l *Lookalikes) learn(ctx context.Context, id string, due func(*membership.Segment, *LookalikesModel) bool) (*LookalikesModel, error) {
	of, rule, err := l.options.Book.Current().FindRule(id)
	switch {
	case err != nil:
		return nil, err
	case rule == nil:
		return nil, fmt.Errorf("segment %q: %w", id, event.ErrNewerVersion)
	case len(rule.Reads().Seeds) > 0:
		return nil, event.Invalid("segment_id", "is of a segment that reads likeness itself: %q", id)
	}
	return l.learner(id).learn(ctx,
		func(learned *LookalikesModel) bool { return due(of, learned) },
		func(ctx context.Context) (*LookalikesModel, error) { return l.fit(ctx, of, rule) })
}

// fit learns a model of everybody as they are now, of one seed at a time.
func (l *Lookalikes) fit(ctx context.Context, of *membership.Segment, rule *segment.Rule) (*LookalikesModel, error) {
	if !l.fitting.TryLock() {
		return nil, fmt.Errorf("learning lookalikes of another segment is %w", event.ErrBusy)
	}
	defer l.fitting.Unlock()
	now := l.options.Now()
	var mu sync.Mutex
	var samples likeness.Samples
	err := l.options.Crowd.Each(ctx, 0, func(people []history.Person) {
		for i := range people {
			person := &people[i]
			if person.State.Events() == 0 {
				continue
			}
			is, _, err := rule.Evaluate(l.options.Subject(person, now))
			interest := likeness.InterestOf(person.State, l.options.Weights)
			mu.Lock()
			samples.Add(person.Visitor.ID(), interest, person.State.Events(), is && err == nil)
			mu.Unlock()
		}
	})
	if err != nil {
		return nil, err
	}
	profile, report, err := samples.Learn()
	if err != nil {
		return nil, fmt.Errorf("lookalikes of %q: %w", of.ID, err)
	}
	return &LookalikesModel{SeedNumber: of.Number, SeedRevision: of.Revision, Report: report, Profile: profile}, nil
}

// due tells whether there is no model of a seed yet, or an old one, or one by another rule.
func (l *Lookalikes) due(of *membership.Segment, learned *LookalikesModel) bool {
	return l.learner(of.ID).old(learned) || learned.SeedNumber != of.Number || learned.SeedRevision != of.Revision
}

// Follow looks for what other processes learned until ctx ends, for as long as others share the store:
// of one seed after the other, so that many are not read all the time.
func (l *Lookalikes) Follow(ctx context.Context) {
	n := 0
	follow(ctx, l.options.Logger, func(ctx context.Context) error {
		seeds := seedsOf(l.options.Book.Current())
		if len(seeds) == 0 {
			return nil
		}
		n++
		return l.learner(seeds[n%len(seeds)]).refresh(ctx)
	})
}

// Tend learns a model of each seed to which a segment reads likeness where there is none, or an old one, until
// ctx ends: at once for the first such segment, and then once a day, and when the seed has another rule.
func (l *Lookalikes) Tend(ctx context.Context) {
	tend(ctx, l.options.Book, l.options.Now, l.options.Logger, func(e *membership.Edition) []task {
		var all []task
		for _, id := range seedsOf(e) {
			of, _, err := e.FindRule(id)
			if err != nil {
				continue
			}
			all = append(all, task{fmt.Sprintf("lookalikes of %q, rule %d.%d", id, of.Number, of.Revision), func(ctx context.Context) error {
				if !l.due(of, l.learner(id).current.Load()) {
					return nil
				}
				_, err := l.learn(ctx, id, l.due)
				return err
			}})
		}
		return all
	})
}
