package embedded

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/store"
	"github.com/attune-shop/attune/store/storetest"
)

// small are options for a store that holds little.
func small(fs vfs.FS) Options {
	return Options{
		Shards: 4, CacheBytes: 1 << 20, Logger: slog.New(slog.DiscardHandler),
		fs: fs, fatal: func(message string) { panic("the store ended the process: " + message) },
	}
}

// folder is a place on the real file system.
type folder struct{ dir string }

func (f *folder) Open(t testing.TB) store.Stores {
	t.Helper()
	s, err := Open(f.dir, small(vfs.Default))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Crash is left to memory, which forgets what was not synced.
func (f *folder) Crash(testing.TB, store.Stores) store.Stores { return nil }

// memory is a place on a file system in memory. A crash of it is a power cut, of which a
// part of what was not synced survives.
type memory struct {
	fs       *vfs.MemFS
	survives int // percent
}

func (m *memory) Open(t testing.TB) store.Stores {
	t.Helper()
	s, err := Open("data/attune", small(m.fs))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (m *memory) Crash(t testing.TB, s store.Stores) store.Stores {
	t.Helper()
	left := m.fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: m.survives, RNG: rand.New(rand.NewPCG(1, 2))})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	m.fs = left
	return m.Open(t)
}

func TestConformance(t *testing.T) {
	t.Run("folder", func(t *testing.T) {
		storetest.Run(t, func(t *testing.T) storetest.Place { return &folder{dir: t.TempDir()} })
	})
	t.Run("power cut", func(t *testing.T) {
		storetest.Run(t, func(*testing.T) storetest.Place { return &memory{fs: vfs.NewCrashableMem()} })
	})
	t.Run("power cut with half of the rest", func(t *testing.T) {
		storetest.Run(t, func(*testing.T) storetest.Place { return &memory{fs: vfs.NewCrashableMem(), survives: 50} })
	})
}

func Benchmark(b *testing.B) {
	storetest.Bench(b, func(b *testing.B) store.Stores {
		s, err := Open(b.TempDir(), Options{})
		if err != nil {
			b.Fatal(err)
		}
		return s
	})
}

// BenchmarkMembers has a million users in ten segments, and says with -v what that takes on disk.
func BenchmarkMembers(b *testing.B) {
	const users, segments = 1_000_000, 10
	dir := b.TempDir()
	storetest.BenchMembers(b, users, segments, func(b *testing.B) store.Stores {
		s, err := Open(dir, Options{})
		if err != nil {
			b.Fatal(err)
		}
		return s
	})
	s, err := Open(dir, Options{})
	if err != nil {
		b.Fatal(err)
	}
	if err := s.db.Compact(b.Context(), []byte{0}, []byte{255}, true); err != nil {
		b.Error(err)
	}
	bySegment, err := s.db.EstimateDiskUsage([]byte{'b'}, after([]byte{'b'}))
	if err != nil {
		b.Error(err)
	}
	byUser, err := s.db.EstimateDiskUsage([]byte{'s'}, after([]byte{'s'}))
	if err != nil {
		b.Error(err)
	}
	b.Logf("%.1f bytes a membership by segment, %.1f bytes a user", float64(bySegment)/users/segments, float64(byUser)/users)
	if err := s.Close(); err != nil {
		b.Error(err)
	}
}

// TestMembershipBytes counts what is published, and not what was.
func TestMembershipBytes(t *testing.T) {
	s, err := Open(t.TempDir(), small(vfs.Default))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	sizes := func() (byUser, bySegment int64) {
		t.Helper()
		byUser, bySegment, err := s.MembershipBytes(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return byUser, bySegment
	}
	users, members := sizes()
	const n = 10_000
	in, out := make([]store.MemberChange, n), make([]store.MemberChange, n)
	for i := range n {
		id := fmt.Sprintf("user-%05d", i)
		in[i] = store.MemberChange{Now: store.Member{UserID: id, Segments: []uint32{1, 2}}}
		out[i] = store.MemberChange{Was: []uint32{1, 2}, Now: store.Member{UserID: id}}
	}
	if err := s.PutMembers(t.Context(), 0, 1, in, nil); err != nil {
		t.Fatal(err)
	}
	if u, m := sizes(); u < users+n || u > users+50*n || m < members+2*n || m > members+50*n {
		t.Errorf("%d users in 2 segments each take %d and %d bytes, none %d and %d", n, u, m, users, members)
	}
	if err := s.PutMembers(t.Context(), 0, 2, out, nil); err != nil {
		t.Fatal(err)
	}
	if u, m := sizes(); u != users || m != members {
		t.Errorf("what is gone takes %d and %d bytes", u-users, m-members)
	}
}

func TestOpenRefuses(t *testing.T) {
	opened := func(t *testing.T) string {
		dir := t.TempDir()
		s, err := Open(dir, small(vfs.Default))
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		return dir
	}
	withFormat := func(t *testing.T, value []byte) string {
		dir := opened(t)
		db, err := pebble.Open(filepath.Join(dir, databaseFolder), quiet(comparer()))
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(db.Set(formatKey, value, pebble.Sync), db.Close()); err != nil {
			t.Fatal(err)
		}
		return dir
	}
	for name, c := range map[string]struct {
		make  func(t *testing.T) string
		wants error
	}{
		"a newer format":   {func(t *testing.T) string { return withFormat(t, []byte{99, 0, 0, 0, 4}) }, event.ErrNewerVersion},
		"an empty format":  {func(t *testing.T) string { return withFormat(t, nil) }, event.ErrCorrupt},
		"a format of 0":    {func(t *testing.T) string { return withFormat(t, []byte{1, 0, 0, 0, 0}) }, event.ErrCorrupt},
		"too many shards":  {func(t *testing.T) string { return withFormat(t, []byte{1, 255, 0, 0, 0}) }, event.ErrCorrupt},
		"an unknown order": {func(t *testing.T) string { return otherDatabase(t, "attune.2") }, event.ErrNewerVersion},
		"a file in the place of the folder": {func(t *testing.T) string {
			path := filepath.Join(t.TempDir(), "file")
			if err := os.WriteFile(path, nil, 0o600); err != nil {
				t.Fatal(err)
			}
			return path
		}, event.ErrUnavailable},
		"a folder that another process holds": {func(t *testing.T) string {
			dir := t.TempDir()
			s, err := Open(dir, small(vfs.Default))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = s.Close() })
			return dir
		}, event.ErrLocked},
		"a newer database": {func(t *testing.T) string {
			dir := opened(t)
			markers, err := filepath.Glob(filepath.Join(dir, databaseFolder, "marker.format-version.*"))
			if err != nil || len(markers) != 1 {
				t.Fatal(markers, err)
			}
			if err := os.Rename(markers[0], filepath.Join(dir, databaseFolder, "marker.format-version.000099.999")); err != nil {
				t.Fatal(err)
			}
			return dir
		}, event.ErrNewerVersion},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := Open(c.make(t), small(vfs.Default))
			if !errors.Is(err, c.wants) {
				t.Errorf("error is %v, want %v", err, c.wants)
			}
			if err == nil {
				_ = s.Close()
			}
		})
	}
}

// quiet are options for a database beside the store.
func quiet(c *pebble.Comparer) *pebble.Options {
	return &pebble.Options{
		Comparer: c, FormatMajorVersion: pebble.FormatValueSeparation,
		Logger: pebbleLogger{logger: slog.New(slog.DiscardHandler), fatal: func(message string) { panic(message) }},
	}
}

func otherDatabase(t *testing.T, order string) string {
	t.Helper()
	dir, c := t.TempDir(), comparer()
	c.Name = order
	db, err := pebble.Open(filepath.Join(dir, databaseFolder), quiet(c))
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestOpenTellsWhatTheSystemSays(t *testing.T) {
	for name, c := range map[string]struct {
		on    errorfs.OpKind
		says  error
		wants error
	}{
		"not writable": {errorfs.OpCreate, &fs.PathError{Op: "open", Path: "x", Err: syscall.EACCES}, event.ErrUnavailable},
		"read only":    {errorfs.OpCreate, &fs.PathError{Op: "open", Path: "x", Err: syscall.EROFS}, event.ErrUnavailable},
		"full":         {errorfs.OpCreate, &fs.PathError{Op: "open", Path: "x", Err: syscall.ENOSPC}, event.ErrExhausted},
		"no lock file": {errorfs.OpLock, &fs.PathError{Op: "open", Path: "LOCK", Err: syscall.EACCES}, event.ErrUnavailable},
		"locked":       {errorfs.OpLock, syscall.EAGAIN, event.ErrLocked},
		"no folder":    {errorfs.OpMkdirAll, &fs.PathError{Op: "mkdir", Path: "x", Err: syscall.EACCES}, event.ErrUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			broken := errorfs.Wrap(vfs.NewMem(), errorfs.InjectorFunc(func(op errorfs.Op) error {
				if op.Kind == c.on {
					return c.says
				}
				return nil
			}))
			if _, err := Open("data", small(broken)); !errors.Is(err, c.wants) {
				t.Errorf("error is %v, want %v", err, c.wants)
			}
		})
	}
	if runtime.GOOS != "windows" && os.Getuid() != 0 {
		dir := t.TempDir()
		if err := os.Chmod(dir, 0o500); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(dir, small(vfs.Default)); !errors.Is(err, event.ErrUnavailable) {
			t.Errorf("a folder that is not writable gave %v", err)
		}
	}
}

func TestLeftoversOfModelsAreRemoved(t *testing.T) {
	dir := t.TempDir()
	leftover := filepath.Join(dir, modelsFolder, payloadName(7))
	if err := errors.Join(os.MkdirAll(filepath.Dir(leftover), 0o755), os.WriteFile(leftover, []byte("half"), 0o600)); err != nil {
		t.Fatal(err)
	}
	s, err := Open(dir, small(vfs.Default))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(leftover); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the leftover: %v", err)
	}
}

// TestADamagedLog opens what a kill left of a folder, the newest file of whose write-ahead log
// is gone or has a bit turned over: it is refused, for acknowledged rows would be missing.
func TestADamagedLog(t *testing.T) {
	dir, ctx, ann := t.TempDir(), t.Context(), event.User("ann")
	s, err := Open(dir, Options{Shards: 1})
	if err != nil {
		t.Fatal(err)
	}
	row := bytes.Repeat([]byte("row"), 1000)
	for seq := store.Seq(1); seq <= 100; seq++ {
		if err := s.Append(ctx, 0, seq, row); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.SwapFeatures(ctx, 0, []store.Change{{Visitor: ann, New: []byte("x")}}); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(s.FlushFeatures(ctx, 0), s.SetMark(ctx, 0, 100)); err != nil {
		t.Fatal(err)
	}
	left := t.TempDir()
	if err := errors.Join(os.CopyFS(left, os.DirFS(dir)), s.Close()); err != nil {
		t.Fatal(err)
	}
	for name, damage := range map[string]func(log []byte) []byte{
		"whole": func(log []byte) []byte { return log },
		"gone":  nil,
		"a bit": func(log []byte) []byte { log[100_000] ^= 1; return log },
		"cut":   func(log []byte) []byte { return log[:200_000] },
	} {
		t.Run(name, func(t *testing.T) {
			again := t.TempDir()
			logs, err := filepath.Glob(filepath.Join(left, "db", "*.log"))
			if err := errors.Join(err, os.CopyFS(again, os.DirFS(left))); err != nil || len(logs) == 0 {
				t.Fatal(logs, err)
			}
			newest := filepath.Join(again, "db", filepath.Base(logs[len(logs)-1]))
			log, err := os.ReadFile(newest)
			if err == nil && damage != nil {
				err = os.WriteFile(newest, damage(log), 0o600)
			} else if err == nil {
				err = os.Remove(newest)
			}
			if err != nil {
				t.Fatal(err)
			}
			s, err := Open(again, Options{})
			if refused := errors.Is(err, event.ErrCorrupt); refused != (name != "whole") {
				t.Errorf("error is %v", err)
			}
			if err == nil {
				if err := s.Close(); err != nil {
					t.Error(err)
				}
			}
		})
	}
}
