package embedded_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/cockroachdb/pebble/v2"

	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/store"
	"github.com/attune-shop/attune/store/embedded"
	"github.com/attune-shop/attune/store/storetest"
)

// folder is a place whose crash is a copy of the files as they lie while the store is open.
type folder struct{ dir string }

func (f *folder) Open(t *testing.T) store.Stores {
	t.Helper()
	s, err := embedded.Open(f.dir, embedded.Options{Shards: 4})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (f *folder) Crash(t *testing.T, s store.Stores) store.Stores {
	t.Helper()
	left := filepath.Join(t.TempDir(), "left")
	if err := os.CopyFS(left, os.DirFS(f.dir)); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	f.dir = left
	return f.Open(t)
}

func TestConformance(t *testing.T) {
	storetest.Run(t, func(t *testing.T) storetest.Place { return &folder{dir: t.TempDir()} })
}

func TestFolderOfAnotherProcess(t *testing.T) {
	dir := t.TempDir()
	first, err := embedded.Open(dir, embedded.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	if _, err := embedded.Open(dir, embedded.Options{}); !errors.Is(err, event.ErrLocked) {
		t.Errorf("a second opening gave %v", err)
	}
}

func TestFolderOfANewerVersion(t *testing.T) {
	dir := t.TempDir()
	s, err := embedded.Open(dir, embedded.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	db, err := pebble.Open(filepath.Join(dir, "db"), &pebble.Options{FormatMajorVersion: pebble.FormatNewest})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(db.Set([]byte("F"), []byte{99, 0, 0, 0, 4}, pebble.Sync), db.Close()); err != nil {
		t.Fatal(err)
	}
	if _, err := embedded.Open(dir, embedded.Options{}); !errors.Is(err, event.ErrNewerVersion) {
		t.Errorf("a newer folder gave %v", err)
	}
}

func TestFolderThatIsAFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := embedded.Open(path, embedded.Options{}); !errors.Is(err, event.ErrUnavailable) {
		t.Errorf("a file in the place of the folder gave %v", err)
	}
}
