package scylla

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/store"
)

// registry is the register of models: all versions, and the one in service, in one value, so
// that every change is one step. Payloads lie in parts beside it, in the same keyspace: an
// object store would be one more thing to run, to secure and to keep in step, for some
// tens of megabytes that are read once by each process.
type registry struct {
	Active string
	Models []modelEntry
	// Pending are payloads on their way in. One that stays longer than pendingFor was left
	// by a process that died.
	Pending []pendingPayload
}

type modelEntry struct {
	store.Model
	Payload string
	Parts   int
}

type pendingPayload struct {
	ID    string
	Since time.Time
}

const (
	// pendingFor is longer than any payload takes to be written.
	pendingFor = time.Hour
	// maxParts bounds the parts of a payload that are looked for to delete them.
	maxParts = 20_000
)

func (r *registry) find(version string) int {
	return slices.IndexFunc(r.Models, func(m modelEntry) bool { return m.Version == version })
}

func (s *Store) registry(ctx context.Context) (registry, error) {
	var r registry
	if _, err := s.register(ctx, modelsRegister, &r); err != nil {
		return r, fmt.Errorf("models: %w", err)
	}
	return r, nil
}

func (s *Store) changeRegistry(ctx context.Context, change func(*registry) error) error {
	if err := changeRegister(ctx, s, modelsRegister, change); err != nil {
		return fmt.Errorf("models: %w", err)
	}
	return nil
}

// SaveModel implements store.Models: the payload first, then the record that names it.
func (s *Store) SaveModel(ctx context.Context, m store.Model, content io.Reader) error {
	id := "model/" + rand.Text()
	var abandoned []pendingPayload
	if err := s.changeRegistry(ctx, func(r *registry) error {
		now := time.Now().UTC()
		abandoned = nil
		r.Pending = slices.DeleteFunc(r.Pending, func(p pendingPayload) bool {
			old := now.Sub(p.Since) > pendingFor
			if old {
				abandoned = append(abandoned, p)
			}
			return old
		})
		r.Pending = append(r.Pending, pendingPayload{ID: id, Since: now})
		return nil
	}); err != nil {
		return err
	}
	for _, p := range abandoned {
		s.deleteAbandoned(ctx, p.ID)
	}
	parts, err := s.writePayload(ctx, id, content, 0)
	var replaced modelEntry
	if err == nil {
		err = s.changeRegistry(ctx, func(r *registry) error {
			replaced = modelEntry{}
			entry := modelEntry{Model: m, Payload: id, Parts: parts}
			switch at := r.find(m.Version); {
			case at < 0:
				r.Models = append(r.Models, entry)
			case r.Models[at].Payload != id:
				replaced, r.Models[at] = r.Models[at], entry
			}
			r.forget(id)
			return nil
		})
	} else {
		cleaning := context.WithoutCancel(ctx)
		left := s.deletePayload(cleaning, id, parts)
		if left == nil { // else it stays pending, and is deleted when it is old
			left = s.changeRegistry(cleaning, func(r *registry) error { r.forget(id); return nil })
		}
		err = errors.Join(err, left)
	}
	if err != nil {
		return fmt.Errorf("model %q: %w", m.Version, err)
	}
	return s.deletePayload(ctx, replaced.Payload, replaced.Parts)
}

// forget lets go of a payload that was pending.
func (r *registry) forget(id string) {
	r.Pending = slices.DeleteFunc(r.Pending, func(p pendingPayload) bool { return p.ID == id })
}

// deleteAbandoned deletes a payload of which it is not known how many parts were written.
func (s *Store) deleteAbandoned(ctx context.Context, id string) {
	for part := range maxParts {
		var there int
		err := s.one(ctx, []any{&there}, `SELECT part FROM payloads WHERE id = ? AND part = ?`, id, part)
		if err == nil {
			err = s.exec(ctx, `DELETE FROM payloads WHERE id = ? AND part = ?`, id, part)
		}
		if errors.Is(err, event.ErrNotFound) {
			return
		}
		if err != nil {
			s.options.Logger.Warn("part of a model that was never finished stays", "payload", id, "part", part, "error", err)
			return
		}
	}
}

// OpenModel implements store.Models.
func (s *Store) OpenModel(ctx context.Context, version string) (io.ReadCloser, error) {
	r, err := s.registry(ctx)
	if err != nil {
		return nil, err
	}
	at := r.find(version)
	if at < 0 {
		return nil, fmt.Errorf("model %q: %w", version, event.ErrNotFound)
	}
	return s.openPayload(ctx, r.Models[at].Payload, r.Models[at].Parts), nil
}

// Models implements store.Models.
func (s *Store) Models(ctx context.Context) ([]store.Model, error) {
	r, err := s.registry(ctx)
	if err != nil {
		return nil, err
	}
	models := make([]store.Model, len(r.Models))
	for i := range r.Models {
		models[i] = r.Models[i].Model
	}
	slices.SortFunc(models, func(a, b store.Model) int { return cmp.Compare(b.Version, a.Version) })
	return models, nil
}

// ActiveModel implements store.Models.
func (s *Store) ActiveModel(ctx context.Context) (string, error) {
	r, err := s.registry(ctx)
	if err == nil && r.Active == "" {
		err = event.ErrNotFound
	}
	return r.Active, err
}

// SetActiveModel implements store.Models.
func (s *Store) SetActiveModel(ctx context.Context, version string) error {
	return s.changeRegistry(ctx, func(r *registry) error {
		if r.find(version) < 0 {
			return fmt.Errorf("model %q: %w", version, event.ErrNotFound)
		}
		r.Active = version
		return nil
	})
}

// DeleteModel implements store.Models.
func (s *Store) DeleteModel(ctx context.Context, version string) error {
	var deleted modelEntry
	err := s.changeRegistry(ctx, func(r *registry) error {
		at := r.find(version)
		if at < 0 {
			return fmt.Errorf("model %q: %w", version, event.ErrNotFound)
		}
		if r.Active == version {
			return fmt.Errorf("model %q is in service: %w", version, event.ErrBusy)
		}
		deleted = r.Models[at]
		r.Models = slices.Delete(r.Models, at, at+1)
		return nil
	})
	if err != nil {
		return err
	}
	return s.deletePayload(ctx, deleted.Payload, deleted.Parts)
}
