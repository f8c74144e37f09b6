package embedded

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/store"
)

func (s *Store) modelPath(version string) string {
	return filepath.Join(s.dir, modelsFolder, filepath.Base(version)+".model")
}

// SaveModel implements store.Models: the payload is a file, complete before it has its name.
func (s *Store) SaveModel(ctx context.Context, m store.Model, payload io.Reader) error {
	if err := s.space.check(); err != nil {
		return err
	}
	if err := writeFile(s.modelPath(m.Version), payload); err != nil {
		return fmt.Errorf("model %s: %w", m.Version, translate(err))
	}
	value, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("model %s: %w", m.Version, err)
	}
	return s.write(ctx, func(batch *pebble.Batch) error { return batch.Set(idKey('v', m.Version), value, nil) })
}

// writeFile writes a file, all or nothing, and returns once it is durable.
func writeFile(path string, content io.Reader) (err error) {
	file, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(file.Name()))
		}
	}()
	if _, err := io.Copy(file, content); err != nil {
		return errors.Join(err, file.Close())
	}
	if err := errors.Join(file.Sync(), file.Close()); err != nil {
		return err
	}
	if err := os.Rename(file.Name(), path); err != nil {
		return err
	}
	folder, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}

// OpenModel implements store.Models.
func (s *Store) OpenModel(ctx context.Context, version string) (io.ReadCloser, error) {
	if _, err := s.get(idKey('v', version)); err != nil {
		return nil, fmt.Errorf("model %q: %w", version, err)
	}
	file, err := os.Open(s.modelPath(version))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("payload of model %q: %w", version, event.ErrCorrupt)
	}
	if err != nil {
		return nil, translate(err)
	}
	return file, ctx.Err()
}

// Models implements store.Models.
func (s *Store) Models(ctx context.Context) ([]store.Model, error) {
	var models []store.Model
	err := s.scan([]byte{'v'}, after([]byte{'v'}), func(_, value []byte) error {
		var m store.Model
		if err := json.Unmarshal(value, &m); err != nil {
			return fmt.Errorf("model: %w: %w", event.ErrCorrupt, err)
		}
		models = append(models, m)
		return ctx.Err()
	})
	slices.Reverse(models)
	return models, err
}

// ActiveModel implements store.Models.
func (s *Store) ActiveModel(ctx context.Context) (string, error) {
	version, err := s.get(activeKey)
	return string(version), errors.Join(err, ctx.Err())
}

// SetActiveModel implements store.Models.
func (s *Store) SetActiveModel(ctx context.Context, version string) error {
	s.models.Lock()
	defer s.models.Unlock()
	if _, err := s.get(idKey('v', version)); err != nil {
		return fmt.Errorf("model %q: %w", version, err)
	}
	return s.write(ctx, func(batch *pebble.Batch) error { return batch.Set(activeKey, []byte(version), nil) })
}

// DeleteModel implements store.Models.
func (s *Store) DeleteModel(ctx context.Context, version string) error {
	s.models.Lock()
	defer s.models.Unlock()
	if _, err := s.get(idKey('v', version)); err != nil {
		return fmt.Errorf("model %q: %w", version, err)
	}
	if active, err := s.get(activeKey); err == nil && string(active) == version {
		return fmt.Errorf("model %q is in service: %w", version, event.ErrBusy)
	}
	if err := s.write(ctx, func(batch *pebble.Batch) error { return batch.Delete(idKey('v', version), nil) }); err != nil {
		return err
	}
	if err := os.Remove(s.modelPath(version)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return translate(err)
	}
	return nil
}

// SaveCheckpoint implements store.Checkpoints.
func (s *Store) SaveCheckpoint(ctx context.Context, name string, data []byte) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return translate(s.db.Set(idKey('c', name), data, pebble.NoSync))
}

// Checkpoint implements store.Checkpoints.
func (s *Store) Checkpoint(ctx context.Context, name string) ([]byte, error) {
	data, err := s.get(idKey('c', name))
	return data, errors.Join(err, ctx.Err())
}
