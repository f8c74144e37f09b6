package embedded

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strconv"
	"strings"

	"github.com/cockroachdb/pebble/v2"

	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/store"
)

// modelEntry is a model's record. It is what makes a version exist: a payload that no
// record names is left over from a save that did not come to its end.
type modelEntry struct {
	store.Model
	// File is the payload's name in the models folder.
	File string
}

const payloadSuffix = ".model"

func payloadName(number uint64) string { return strconv.FormatUint(number, 10) + payloadSuffix }

// payloadNumber returns the number that a payload's name is made of.
func payloadNumber(name string) (uint64, error) {
	number, err := strconv.ParseUint(strings.TrimSuffix(name, payloadSuffix), 10, 64)
	if err == nil && payloadName(number) != name {
		err = strconv.ErrSyntax
	}
	return number, err
}

func (s *Store) modelPath(elements ...string) string {
	return s.fs.PathJoin(append([]string{s.dir, modelsFolder}, elements...)...)
}

// openModels makes the models folder where there is none and removes leftovers from it.
func (s *Store) openModels() error {
	if err := s.fs.MkdirAll(s.modelPath(), 0o755); err != nil {
		return translate(err)
	}
	if err := s.syncFolder(s.dir); err != nil {
		return translate(err)
	}
	entries, err := s.modelEntries()
	if err != nil {
		return err
	}
	names, err := s.fs.List(s.modelPath())
	if err != nil {
		return translate(err)
	}
	for _, name := range names {
		n, err := payloadNumber(name)
		if err != nil {
			continue
		}
		s.models.last = max(s.models.last, n)
		if slices.ContainsFunc(entries, func(e modelEntry) bool { return e.File == name }) {
			continue
		}
		if err := s.fs.Remove(s.modelPath(name)); err != nil {
			return translate(err)
		}
	}
	return nil
}

// SaveModel implements store.Models: the payload is a durable file before the record
// names it.
func (s *Store) SaveModel(ctx context.Context, m store.Model, payload io.Reader) error {
	if err := errors.Join(ctx.Err(), s.space.check()); err != nil {
		return err
	}
	s.models.Lock()
	s.models.last++
	entry := modelEntry{Model: m, File: payloadName(s.models.last)}
	s.models.Unlock()
	value, err := json.Marshal(entry)
	if err != nil {
		return fmt.Errorf("model %q: %w", m.Version, err)
	}
	if err := s.writePayload(entry.File, payload); err != nil {
		return fmt.Errorf("model %q: %w", m.Version, errors.Join(err, s.removePayload(entry.File)))
	}
	s.models.Lock()
	defer s.models.Unlock()
	old, err := s.modelEntry(m.Version)
	if err != nil && !errors.Is(err, event.ErrNotFound) {
		return err
	}
	if err := s.write(ctx, func(batch *pebble.Batch) error { return batch.Set(idKey('v', m.Version), value, nil) }); err != nil {
		return err
	}
	if old.File == "" {
		return nil
	}
	return s.removePayload(old.File)
}

// writePayload writes a file and returns once it is durable. An error of the content's
// reader comes back as it is.
func (s *Store) writePayload(name string, content io.Reader) error {
	file, err := s.fs.Create(s.modelPath(name), "attune-models")
	if err != nil {
		return translate(err)
	}
	from := &remembering{reader: content}
	if _, err := io.Copy(file, from); err != nil {
		closed := file.Close()
		if from.err != nil {
			return from.err
		}
		return translate(errors.Join(err, closed))
	}
	if err := errors.Join(file.Sync(), file.Close()); err != nil {
		return translate(err)
	}
	return translate(s.syncFolder(s.modelPath()))
}

// remembering keeps the error of a reader, which io.Copy does not tell from a writer's.
type remembering struct {
	reader io.Reader
	err    error
}

func (r *remembering) Read(p []byte) (int, error) {
	n, err := r.reader.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		r.err = err
	}
	return n, err
}

func (s *Store) removePayload(name string) error {
	if err := s.fs.Remove(s.modelPath(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return translate(err)
	}
	return nil
}

func (s *Store) syncFolder(path string) error {
	folder, err := s.fs.OpenDir(path)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}

// OpenModel implements store.Models.
func (s *Store) OpenModel(ctx context.Context, version string) (io.ReadCloser, error) {
	s.models.Lock()
	defer s.models.Unlock()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	entry, err := s.modelEntry(version)
	if err != nil {
		return nil, err
	}
	file, err := s.fs.Open(s.modelPath(entry.File))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("payload of model %q: %w: %w", version, event.ErrCorrupt, err)
	}
	if err != nil {
		return nil, translate(err)
	}
	return file, nil
}

// modelEntry returns a version's record, or event.ErrNotFound.
func (s *Store) modelEntry(version string) (modelEntry, error) {
	value, err := s.db.get(idKey('v', version))
	if err != nil {
		return modelEntry{}, fmt.Errorf("model %q: %w", version, err)
	}
	return decodeModelEntry(value)
}

func decodeModelEntry(value []byte) (entry modelEntry, err error) {
	if err := json.Unmarshal(value, &entry); err != nil {
		return modelEntry{}, fmt.Errorf("record of a model: %w: %w", event.ErrCorrupt, err)
	}
	if _, err := payloadNumber(entry.File); err != nil {
		return modelEntry{}, fmt.Errorf("record of a model: payload %q: %w", entry.File, event.ErrCorrupt)
	}
	return entry, nil
}

// modelEntries returns the records of all versions, oldest first.
func (s *Store) modelEntries() (entries []modelEntry, err error) {
	err = s.db.scan([]byte{'v'}, after([]byte{'v'}), func(_, value []byte) error {
		entry, err := decodeModelEntry(value)
		entries = append(entries, entry)
		return err
	})
	return entries, err
}

// Models implements store.Models.
func (s *Store) Models(ctx context.Context) ([]store.Model, error) {
	entries, err := s.modelEntries()
	if err != nil {
		return nil, err
	}
	models := make([]store.Model, 0, len(entries))
	for _, entry := range slices.Backward(entries) {
		models = append(models, entry.Model)
	}
	return models, ctx.Err()
}

// ActiveModel implements store.Models.
func (s *Store) ActiveModel(ctx context.Context) (string, error) {
	version, err := s.db.get(activeKey)
	if err != nil {
		return "", fmt.Errorf("active model: %w", err)
	}
	return string(version), ctx.Err()
}

// SetActiveModel implements store.Models.
func (s *Store) SetActiveModel(ctx context.Context, version string) error {
	s.models.Lock()
	defer s.models.Unlock()
	if _, err := s.modelEntry(version); err != nil {
		return err
	}
	return s.put(ctx, pebble.Sync, func(batch *pebble.Batch) error { return batch.Set(activeKey, []byte(version), nil) })
}

// DeleteModel implements store.Models.
func (s *Store) DeleteModel(ctx context.Context, version string) error {
	s.models.Lock()
	defer s.models.Unlock()
	entry, err := s.modelEntry(version)
	if err != nil {
		return err
	}
	if active, err := s.db.get(activeKey); err == nil && string(active) == version {
		return fmt.Errorf("model %q is in service: %w", version, event.ErrBusy)
	} else if err != nil && !errors.Is(err, event.ErrNotFound) {
		return err
	}
	if err := s.put(ctx, pebble.Sync, func(batch *pebble.Batch) error { return batch.Delete(idKey('v', version), nil) }); err != nil {
		return err
	}
	return s.removePayload(entry.File)
}
