package training

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"golang.org/x/time/rate"

	"github.com/attune-shop/attune/model/cf"
	"github.com/attune-shop/attune/model/cf/eval"
	"github.com/attune-shop/attune/model/cf/feedback"
	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/store"
	"github.com/attune-shop/attune/store/repeat"
)

const (
	// versionTime is the beginning of a version's name; versions sort by age.
	versionTime = "20060102T150405.000Z"
	// lookEvery is the time between two looks for what other servers activated.
	lookEvery = time.Second
)

// Follow puts in service what other servers activate, until ctx ends; it is for a store that
// is shared.
func (s *Service) Follow(ctx context.Context) {
	warn := rate.Sometimes{Interval: time.Minute}
	repeat.Look(ctx, lookEvery, s.Load, func(err error) {
		warn.Do(func() {
			s.options.Logger.WarnContext(ctx, "models that other servers activate cannot be seen; said once a minute", "error", err)
		})
	})
}

// Load puts the store's active version in service; where that is the one of the last call,
// it costs one look-up. A version that cannot be read is logged, and the newest older one
// that can is served instead; the store still names the other one as active. Having no
// version to serve is no error. Load fails only where the store does.
func (s *Service) Load(ctx context.Context) error {
	s.activating.Lock()
	defer s.activating.Unlock()
	wanted, err := s.store.ActiveModel(ctx)
	if errors.Is(err, event.ErrNotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("active model: %w", err)
	}
	if wanted == s.wanted {
		return nil
	}
	if err := s.loadNewest(ctx, wanted); err != nil {
		return err
	}
	s.wanted = wanted
	return nil
}

// loadNewest puts a version in service, or the newest older one that can be read.
func (s *Service) loadNewest(ctx context.Context, wanted string) error {
	err := s.loadVersion(ctx, wanted)
	if !damaged(err) {
		return err
	}
	s.options.Logger.ErrorContext(ctx, "THE ACTIVE MODEL CANNOT BE READ; an older one is looked for", "version", wanted, "error", err)
	models, err := s.store.Models(ctx)
	if err != nil {
		return fmt.Errorf("models: %w", err)
	}
	for _, m := range models {
		if m.Version >= wanted {
			continue
		}
		if err = s.loadVersion(ctx, m.Version); err == nil {
			s.options.Logger.WarnContext(ctx, "an older model serves; train anew or activate another", "version", m.Version, "instead_of", wanted)
			return nil
		}
		if !damaged(err) {
			return err
		}
		s.options.Logger.ErrorContext(ctx, "a model cannot be read", "version", m.Version, "error", err)
	}
	s.options.Logger.ErrorContext(ctx, "NO MODEL CAN BE READ; recommendations go without one until the next training", "version", wanted)
	return nil
}

// damaged tells whether another version may do where this one did not.
func damaged(err error) bool {
	return errors.Is(err, event.ErrCorrupt) || errors.Is(err, event.ErrNewerVersion) || errors.Is(err, event.ErrNotFound)
}

func (s *Service) loadVersion(ctx context.Context, version string) error {
	snapshot, err := s.read(ctx, version)
	if err != nil {
		return err
	}
	s.holder.Set(snapshot, version)
	return nil
}

// read returns a version's Snapshot.
func (s *Service) read(ctx context.Context, version string) (_ *cf.Snapshot, err error) {
	payload, err := s.store.OpenModel(ctx, version)
	if err != nil {
		return nil, fmt.Errorf("model %s: %w", version, err)
	}
	defer func() { err = errors.Join(err, payload.Close()) }()
	snapshot, err := cf.ReadSnapshot(payload)
	if err != nil {
		return nil, fmt.Errorf("model %s: %w", version, err)
	}
	return snapshot, nil
}

// save stores the Snapshot under a version newer than all others.
func (s *Service) save(ctx context.Context, data *feedback.Dataset, plan cf.Plan, protocol eval.Protocol, snapshot *cf.Snapshot) (store.Model, error) {
	size, err := snapshot.WriteTo(io.Discard)
	if err != nil {
		return store.Model{}, fmt.Errorf("save model: %w", err)
	}
	created, err := s.nextTime(ctx)
	if err != nil {
		return store.Model{}, err
	}
	model := store.Model{
		Version:      created.Format(versionTime) + "-" + plan.Algorithm,
		Algorithm:    plan.Algorithm,
		CreatedAt:    created,
		Users:        data.Users(),
		Items:        data.Items(),
		Interactions: data.Interactions(),
		SizeBytes:    size,
		Metric:       plan.Metric,
		Protocol:     protocol.String(),
		Choice:       plan.Choice,
	}
	for _, e := range plan.Evaluations {
		model.Evaluations = append(model.Evaluations, kept(e))
	}
	payload, writer := io.Pipe()
	written := make(chan struct{})
	go func() {
		defer close(written)
		_, err := snapshot.WriteTo(writer)
		_ = writer.CloseWithError(err) // it never fails
	}()
	err = s.store.SaveModel(ctx, model, payload)
	_ = payload.Close() // it never fails; it ends the writer where SaveModel gave up
	<-written
	if err != nil {
		return store.Model{}, fmt.Errorf("save model %s: %w", model.Version, err)
	}
	return model, nil
}

// nextTime is now, in whole milliseconds, or later where a version is as new as that.
func (s *Service) nextTime(ctx context.Context) (time.Time, error) {
	created := s.options.Now().UTC().Truncate(time.Millisecond)
	models, err := s.store.Models(ctx)
	if err != nil {
		return created, fmt.Errorf("models: %w", err)
	}
	for _, m := range models {
		if least := m.CreatedAt.UTC().Truncate(time.Millisecond).Add(time.Millisecond); created.Before(least) {
			created = least
		}
	}
	return created, nil
}

// activate puts a version in service, in the store first, unless may, which is asked right
// before that, fails.
func (s *Service) activate(ctx context.Context, snapshot *cf.Snapshot, version string, may func() error) error {
	s.activating.Lock()
	defer s.activating.Unlock()
	if err := may(); err != nil {
		return err
	}
	if err := s.store.SetActiveModel(ctx, version); err != nil {
		return fmt.Errorf("activate model %s: %w", version, err)
	}
	s.holder.Set(snapshot, version)
	s.wanted = version
	return nil
}

// prune deletes all but the newest versions, the active one and the one in service. What
// cannot be deleted now is deleted after the next training.
func (s *Service) prune(ctx context.Context) {
	models, err := s.store.Models(ctx)
	if err != nil {
		s.options.Logger.WarnContext(ctx, "old models stay for now", "error", err)
		return
	}
	_, serving := s.holder.Active()
	for _, m := range models[min(s.options.KeepModels, len(models)):] {
		if m.Version == serving {
			continue
		}
		err := s.store.DeleteModel(ctx, m.Version)
		if err != nil && !errors.Is(err, event.ErrBusy) && !errors.Is(err, event.ErrNotFound) {
			s.options.Logger.WarnContext(ctx, "an old model stays for now", "version", m.Version, "error", err)
		}
	}
}
