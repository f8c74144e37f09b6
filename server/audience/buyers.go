package audience

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"time"

	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/model/propensity"
	"github.com/attune-shop/attune/store"
	"github.com/attune-shop/attune/store/lease"
)

const (
	// buyersRegister holds the model, buyersLease is held by who learns one.
	buyersRegister = "likely-buyers"
	buyersLease    = "likely-buyers"
	// seed draws samples and intervals: the same history gives the same model.
	seed = 1
)

// BuyersModel is what was learned of likely buyers. It is immutable.
type BuyersModel struct {
	// Version counts what was learned, from 1 on.
	Version   int64     `json:"version"`
	LearnedAt time.Time `json:"learned_at"`
	// Users and Events are those of the history that it was learned from.
	Users  int64              `json:"users"`
	Events int64              `json:"events"`
	Report *propensity.Report `json:"report"`
	Model  *propensity.Model  `json:"model"`
}

// Store is where what is learned is kept.
type Store interface {
	store.Registers
	store.Leases
}

// Options are what Buyers are made of.
type Options struct {
	History History
	Store   Store
	// Now is the clock.
	Now    func() time.Time
	Logger *slog.Logger
}

// Buyers learns who is likely to buy. Its methods may be called concurrently.
type Buyers struct {
	options Options
	kept    kept[BuyersModel]
}

// OpenBuyers reads what was learned. What cannot be read is logged and done without: it is learned
// again.
func OpenBuyers(ctx context.Context, options Options) (*Buyers, error) {
	b := &Buyers{options: options, kept: kept[BuyersModel]{registers: options.Store, name: buyersRegister}}
	err := b.kept.refresh(ctx)
	if errors.Is(err, event.ErrCorrupt) || errors.Is(err, event.ErrNewerVersion) {
		options.Logger.ErrorContext(ctx, "the model of likely buyers is not understood and left alone", "error", err)
		err = nil
	}
	return b, err
}

// Current returns the newest model that is known here, nil where there is none.
func (b *Buyers) Current() *BuyersModel { return b.kept.current.Load() }

// Learn learns a model, stores it, and puts it in service here. One process learns at a time; another
// gets event.ErrBusy. An error wraps propensity.ErrTooLittle where the history does not suffice.
func (b *Buyers) Learn(ctx context.Context) (*BuyersModel, error) {
	return b.learn(ctx, func(*BuyersModel) bool { return true })
}

// learn learns where that is still due once the lease is held: another process may have learned
// a moment ago. Then it returns what that learned.
func (b *Buyers) learn(ctx context.Context, due func(*BuyersModel) bool) (*BuyersModel, error) {
	held, err := lease.Take(ctx, b.options.Store, buyersLease, b.options.Logger)
	if err != nil {
		return nil, fmt.Errorf("learning likely buyers is %w", err)
	}
	defer held.End()
	if err := b.kept.refresh(ctx); err != nil && !errors.Is(err, event.ErrCorrupt) {
		return nil, err
	}
	if model := b.Current(); !due(model) {
		return model, nil
	}
	learned, err := b.fit(held.Context())
	if err == nil {
		err = held.Renew()
	}
	if err == nil {
		learned, err = b.kept.replace(held.Context(), func(before *BuyersModel) *BuyersModel {
			learned.Version = 1
			if before != nil {
				learned.Version = before.Version + 1
			}
			return learned
		})
	}
	if cause := context.Cause(held.Context()); err != nil && errors.Is(cause, lease.ErrLost) {
		err = fmt.Errorf("learning likely buyers stopped: %w", cause)
	}
	if err != nil {
		return nil, err
	}
	b.options.Logger.InfoContext(ctx, "likely buyers learned", "version", learned.Version, "users", learned.Users,
		"auc", learned.Report.All.Model.AUC, "recency_auc", learned.Report.All.Recency.AUC)
	return learned, nil
}

// fit learns a model from the history.
func (b *Buyers) fit(ctx context.Context) (*BuyersModel, error) {
	now := b.options.Now().UTC().Truncate(time.Microsecond)
	g, err := gather(ctx, b.options.History)
	if err != nil {
		return nil, err
	}
	// In a history that ended a while ago nobody bought since: that is not to be learned.
	to := g.to
	if to.After(now) {
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
	return &BuyersModel{LearnedAt: now, Users: g.users, Events: g.events, Report: report, Model: model}, nil
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
