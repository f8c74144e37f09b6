package embedded

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"strings"
	"syscall"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/attune-shop/attune/model/event"
)

// memTableBytes is the size of a memtable. Up to memTables of them are in memory, and in
// the write-ahead log that a start after a crash replays.
const (
	memTableBytes = 32 << 20
	memTables     = 4
)

// busyMemTables are those in memory while there are writes, of both databases: one of each that is
// written to, and one that is written out.
const busyMemTables = 4

// separateBytes is the size from which a value is stored apart from its key.
const separateBytes = 4 << 10

func (s *Store) pebbleOptions(cache *pebble.Cache, logger *slog.Logger) *pebble.Options {
	o := &pebble.Options{
		FS:                          walFS{FS: vfs.OnDiskFull(s.fs, s.space.await), failed: s.walFailed},
		Comparer:                    comparer(),
		Cache:                       cache,
		FormatMajorVersion:          pebble.FormatValueSeparation,
		MemTableSize:                memTableBytes,
		MemTableStopWritesThreshold: memTables,
		// What is above the base level is merged with all of it each time, members of segments key by
		// key, and that takes more of the processor than to look into some more tables.
		L0CompactionThreshold: 16,
		L0StopWritesThreshold: 40,
		LBaseMaxBytes:         512 << 20,
		MaxOpenFiles:          1000,
		Logger:                pebbleLogger{logger: logger, fatal: s.fatal},
		// Who reads what is damaged is told; the rest is served.
		EventListener: &pebble.EventListener{DataCorruption: func(info pebble.DataCorruptionInfo) {
			logger.Error("damaged", "file", info.Path, "error", info.Details.Error())
		}},
	}
	for i := range o.Levels {
		o.Levels[i].FilterPolicy = bloom.FilterPolicy(10)
		o.Levels[i].BlockSize = 16 << 10
	}
	// What is above the last level is written again soon.
	for i := range len(o.Levels) - 1 {
		o.Levels[i].Compression = func() *sstable.CompressionProfile { return sstable.NoCompression }
	}
	o.Levels[len(o.Levels)-1].Compression = func() *sstable.CompressionProfile { return sstable.SnappyCompression }
	// Rows of the log are large and never change: compactions leave them where they lie.
	o.Experimental.ValueSeparationPolicy = func() pebble.ValueSeparationPolicy {
		return pebble.ValueSeparationPolicy{
			Enabled: true, MinimumSize: separateBytes, MaxBlobReferenceDepth: 8,
			RewriteMinimumAge: time.Minute, TargetGarbageRatio: .3,
		}
	}
	for i := range o.TargetFileSizes {
		o.TargetFileSizes[i] = 8 << 20 << min(i, 4)
	}
	return o
}

// featureOptions are those of the database of features: values are read one at a time and
// at random, so blocks are small and as they are.
func (s *Store) featureOptions(cache *pebble.Cache, logger *slog.Logger) *pebble.Options {
	o := s.pebbleOptions(cache, logger)
	o.DisableWAL = true
	o.MemTableStopWritesThreshold = 2
	o.L0CompactionThreshold = 4 // what is read is in few places
	o.LBaseMaxBytes = 128 << 20
	for i := range o.Levels {
		o.Levels[i].BlockSize = 4 << 10
		o.Levels[i].Compression = func() *sstable.CompressionProfile { return sstable.NoCompression }
	}
	return o
}

// openPebble opens a database, and makes it where there is none.
func openPebble(dir string, o *pebble.Options) (*pebble.DB, error) {
	found, err := pebble.Peek(dir, o.FS)
	switch {
	case errors.Is(err, fs.ErrNotExist) || err == nil && !found.Exists:
		if err := makePebble(dir, o); err != nil {
			return nil, err
		}
	case err != nil:
		return nil, err
	}
	scheduler := newCompactions()
	o.Experimental.CompactionScheduler = scheduler
	db, err := pebble.Open(dir, o)
	if err == nil {
		scheduler.begin()
	}
	return db, err
}

// makePebble makes a database and closes it. The write-ahead log of a new one does not say
// yet how far it was synced, so that damage to it could not be told from its end.
func makePebble(dir string, o *pebble.Options) error {
	files, err := o.FS.List(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, file := range files {
		if strings.HasPrefix(file, "MANIFEST-") {
			return fmt.Errorf("%w: there are files of a database, but not the one that names its manifest", pebble.ErrCorruption)
		}
	}
	db, err := pebble.Open(dir, o)
	if err != nil {
		return err
	}
	return db.Close()
}

// walFailed ends the process. While the store is not open yet, an error does.
func (s *Store) walFailed(err error) {
	if s.space.isOpen() {
		s.fatal(err.Error())
	}
}

// comparer orders keys by their bytes and tells Pebble which part of a key its Bloom
// filters are of, so that they know events whatever their sequence numbers.
func comparer() *pebble.Comparer {
	c := *pebble.DefaultComparer
	c.Name = "attune.1"
	c.Split = splitKey
	return &c
}

// openError translates what Pebble says when a folder does not open.
func openError(dir string, err error) error {
	var path *fs.PathError
	sentinel := event.ErrUnavailable
	switch text := err.Error(); {
	case errors.Is(err, syscall.ENOSPC):
		sentinel = event.ErrExhausted
	// The lock's own errno comes without a path; with one, the file could not be opened.
	case strings.Contains(text, "lock held"), !errors.As(err, &path) && (errors.Is(err, syscall.EAGAIN) || errors.Is(err, syscall.EACCES)):
		sentinel = event.ErrLocked
	case strings.Contains(text, "format major version"), strings.Contains(text, "comparer name"):
		sentinel = event.ErrNewerVersion
	case pebble.IsCorruptionError(err):
		return fmt.Errorf("data folder %s: %w", dir, translate(err))
	}
	return fmt.Errorf("data folder %s: %w: %w", dir, sentinel, err)
}

// translate gives Pebble's and the file system's errors their place among those of package event.
func translate(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, pebble.ErrNotFound):
		return event.ErrNotFound
	case errors.Is(err, syscall.ENOSPC):
		return fmt.Errorf("%w: the disk is full: %w", event.ErrExhausted, err)
	case pebble.IsCorruptionError(err):
		if info := pebble.ExtractDataCorruptionInfo(err); info != nil {
			err = info.Details
		}
		return fmt.Errorf("%w: %w", event.ErrCorrupt, err)
	default:
		return fmt.Errorf("%w: %w", event.ErrUnavailable, err)
	}
}

// pebbleLogger passes on what Pebble reports.
type pebbleLogger struct {
	logger *slog.Logger
	fatal  func(message string)
}

func (l pebbleLogger) Infof(format string, args ...any) {
	if l.logger.Enabled(context.Background(), slog.LevelDebug) {
		l.logger.Debug("pebble: " + fmt.Sprintf(format, args...))
	}
}

func (l pebbleLogger) Errorf(format string, args ...any) {
	l.logger.Error("pebble: " + fmt.Sprintf(format, args...))
}

// Fatalf does not return: Pebble calls it where it cannot tell any more what is on disk.
func (l pebbleLogger) Fatalf(format string, args ...any) {
	l.fatal("pebble: " + fmt.Sprintf(format, args...))
}
