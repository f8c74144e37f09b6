package audience

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"runtime"
	"time"

	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/model/propensity"
	"github.com/attune-shop/attune/store/membership"
)

const (
	// buyersName is that of the register which holds the model, and of the lease held by who learns one.
	buyersName = "likely-buyers"
	// seed draws samples and intervals: the same history gives the same model.
	seed = 1
)

// BuyersModel is what was learned of likely buyers. It is immutable.
type BuyersModel struct {
	Stamp
	// Users and Events are those of the history that it was learned from.
	Users  int64              `json:"users"`
	Events int64              `json:"events"`
	Report *propensity.Report `json:"report"`
	Model  *propensity.Model  `json:"model"`
}

func (m *BuyersModel) worth() (auc, baseline float64) {
	return m.Report.All.Model.AUC, m.Report.All.Recency.AUC
}

// BuyersOptions are what Buyers are made of.
type BuyersOptions struct {
	History History
	Store   Store
	// Now is the clock.
	Now    func() time.Time
	Logger *slog.Logger
}

// Buyers learns who is likely to buy. Its methods may be called concurrently.
type Buyers struct {
	options BuyersOptions
	learner *learner[BuyersModel, *BuyersModel]
}

// OpenBuyers reads what was learned.
func OpenBuyers(ctx context.Context, options BuyersOptions) (*Buyers, error) {
	l := newLearner[BuyersModel](buyersName, "likely buyers", options.Store, options.Now, options.Logger)
	return &Buyers{options: options, learner: l}, l.open(ctx)
}

// Current returns the newest model that is known here, nil where there is none.
func (b *Buyers) Current() *BuyersModel { return b.learner.current.Load() }

// Learn learns a model, stores it, and puts it in service here. One process learns at a time; another
// gets event.ErrBusy. An error wraps propensity.ErrTooLittle where the history does not suffice.
func (b *Buyers) Learn(ctx context.Context) (*BuyersModel, error) {
	return b.learner.learn(ctx, always, b.fit)
}

// Follow looks for what other processes learned until ctx ends, for as long as others share the store.
func (b *Buyers) Follow(ctx context.Context) { follow(ctx, b.options.Logger, b.learner.refresh) }

// Tend learns a model whenever a segment reads one and there is none, or an old one, until ctx ends:
// at once for the first such segment, and then once a day.
func (b *Buyers) Tend(ctx context.Context, book *membership.Book) {
	tend(ctx, book, b.options.Now, b.options.Logger, func(e *membership.Edition) []task {
		for _, rule := range e.Rules {
			if rule != nil && rule.Reads().Likelihood {
				return []task{{b.learner.what, b.learnOld}}
			}
		}
		return nil
	})
}

// learnOld learns a model where there is none, or an old one.
func (b *Buyers) learnOld(ctx context.Context) error {
	if !b.learner.old(b.Current()) {
		return nil
	}
	_, err := b.learner.learn(ctx, b.learner.old, b.fit)
	return err
}

// fit learns a model from the history.
func (b *Buyers) fit(ctx context.Context) (*BuyersModel, error) {
	g, err := gather(ctx, b.options.History)
	if err != nil {
		return nil, err
	}
	// In a history that ended a while ago nobody bought since: that is not to be learned.
	to := g.to
	if now := b.options.Now().UTC().Truncate(time.Microsecond); to.After(now) {
		to = now
	}
	samples, err := propensity.NewSamples(g.from, to, seed)
	if err != nil {
		return nil, err
	}
	err = g.each(ctx, func(user event.Visitor, events []event.Event) { samples.Add(user.ID(), events) })
	if err != nil {
		return nil, err
	}
	// Visitors are answered meanwhile.
	model, report, err := propensity.Learn(ctx, samples, max(1, runtime.GOMAXPROCS(0)/2), nil)
	if err != nil {
		return nil, err
	}
	return &BuyersModel{Users: g.users, Events: g.events, Report: report, Model: model}, nil
}

// UnmarshalJSON holds what is read to being whole.
func (m *BuyersModel) UnmarshalJSON(data []byte) error {
	type plain BuyersModel
	if err := json.Unmarshal(data, (*plain)(m)); err != nil {
		return err
	}
	if m.Model == nil || m.Report == nil || m.Version < 1 {
		return fmt.Errorf("no model: %w", event.ErrCorrupt)
	}
	return nil
}
