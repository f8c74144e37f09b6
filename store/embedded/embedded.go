// Package embedded keeps everything in one folder, on Pebble, within the process: the
// default store, with no server beside it. One process holds the folder at a time.
//
// Only what package store wants durable is synced. The rest is written behind the log
// into the same write-ahead log, whose order is kept: what was written before something
// that survives a crash survives it too.
package embedded

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/store"
)

// Options of a Store.
type Options struct {
	// Shards is the number of log shards of a folder that is made now; an existing
	// folder keeps its own. Default 16.
	Shards int
	// CacheBytes bounds the cache of blocks read from disk. Default 128 MiB.
	CacheBytes int64
	// DirtyBytes bounds the changed features that wait in memory for the next flush,
	// over all shards. Default 64 MiB.
	DirtyBytes int64
	// FeatureBytes bounds the unchanged features that are kept in memory, over all shards.
	// Default 64 MiB.
	FeatureBytes int64
	// Logger receives what Pebble reports. Default: none.
	Logger *slog.Logger
}

// Store is a folder that is open. It implements store.Stores.
type Store struct {
	db     *pebble.DB
	dir    string
	space  *space
	shards []*shard
	// letters guards the number of the last dead letter.
	letters struct {
		sync.Mutex
		last uint64
	}
	models sync.Mutex
}

var _ store.Stores = (*Store)(nil)

// memTableBytes is the size of a memtable: what a start has to replay at the most, a few times over.
const memTableBytes = 32 << 20

// Open opens a folder, and makes it where there is none. Errors: event.ErrLocked where
// another process holds it, event.ErrNewerVersion where a newer Attune wrote it, and
// event.ErrUnavailable where it cannot be read or written.
func Open(dir string, options Options) (*Store, error) {
	if options.Shards == 0 {
		options.Shards = 16
	}
	if options.CacheBytes == 0 {
		options.CacheBytes = 128 << 20
	}
	if options.DirtyBytes == 0 {
		options.DirtyBytes = 64 << 20
	}
	if options.FeatureBytes == 0 {
		options.FeatureBytes = 64 << 20
	}
	if options.Logger == nil {
		options.Logger = slog.New(slog.DiscardHandler)
	}
	if err := os.MkdirAll(filepath.Join(dir, modelsFolder), 0o755); err != nil {
		return nil, fmt.Errorf("data folder %s: %w: %w", dir, event.ErrUnavailable, err)
	}
	cache := pebble.NewCache(options.CacheBytes)
	defer cache.Unref()
	db, err := pebble.Open(filepath.Join(dir, databaseFolder), pebbleOptions(cache, options.Logger))
	if err != nil {
		return nil, openError(dir, err)
	}
	s := &Store{db: db, dir: dir, space: newSpace(dir)}
	if err := s.load(options); err != nil {
		return nil, errors.Join(fmt.Errorf("data folder %s: %w", dir, err), db.Close())
	}
	return s, nil
}

func pebbleOptions(cache *pebble.Cache, logger *slog.Logger) *pebble.Options {
	o := &pebble.Options{
		Cache:                       cache,
		FormatMajorVersion:          pebble.FormatNewest,
		MemTableSize:                memTableBytes,
		MemTableStopWritesThreshold: 4,
		L0CompactionThreshold:       4,
		L0StopWritesThreshold:       24,
		LBaseMaxBytes:               128 << 20,
		MaxOpenFiles:                1000,
		Logger:                      pebbleLogger{logger},
	}
	for i := range o.Levels {
		o.Levels[i].FilterPolicy = bloom.FilterPolicy(10)
		o.Levels[i].BlockSize = 16 << 10
	}
	for i := range o.TargetFileSizes {
		o.TargetFileSizes[i] = 8 << 20 << min(i, 4)
	}
	return o
}

// openError translates what Pebble says when a folder does not open.
func openError(dir string, err error) error {
	sentinel := event.ErrUnavailable
	switch text := err.Error(); {
	case errors.Is(err, syscall.EAGAIN), errors.Is(err, syscall.EACCES) && strings.Contains(text, "LOCK"), strings.Contains(text, "lock held"):
		sentinel = event.ErrLocked
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
	case errors.Is(err, syscall.ENOSPC):
		sentinel = event.ErrExhausted
	case strings.Contains(text, "format major version"):
		sentinel = event.ErrNewerVersion
	case pebble.IsCorruptionError(err):
		sentinel = event.ErrCorrupt
	}
	return fmt.Errorf("data folder %s: %w: %w", dir, sentinel, err)
}

// load reads or writes the folder's format, and the heads of its shards.
func (s *Store) load(options Options) error {
	format, err := s.get(formatKey)
	switch {
	case errors.Is(err, event.ErrNotFound):
		format = binary.BigEndian.AppendUint32([]byte{formatVersion}, uint32(options.Shards))
		if err := s.db.Set(formatKey, format, pebble.Sync); err != nil {
			return err
		}
	case err != nil:
		return err
	case len(format) == 0 || format[0] > formatVersion:
		return fmt.Errorf("format %d, this version knows %d: %w", format[0], formatVersion, event.ErrNewerVersion)
	case len(format) != 5:
		return fmt.Errorf("format record of %d bytes: %w", len(format), event.ErrCorrupt)
	}
	shards := int(binary.BigEndian.Uint32(format[1:]))
	for n := range shards {
		sh := &shard{
			number: n, clean: newValueCache(options.FeatureBytes / int64(shards)),
			dirty: map[event.Visitor][]byte{}, dirtyBound: options.DirtyBytes / int64(shards),
		}
		if sh.head, err = s.lastRow(n); err != nil {
			return err
		}
		s.shards = append(s.shards, sh)
	}
	s.letters.last, err = s.lastLetter()
	return err
}

// Close flushes features and lets go of the folder.
func (s *Store) Close() error {
	var errs []error
	for _, sh := range s.shards {
		errs = append(errs, s.FlushFeatures(context.Background(), sh.number))
	}
	return errors.Join(append(errs, translate(s.db.LogData(nil, pebble.Sync)), translate(s.db.Close()))...)
}

// errFound ends a scan early.
var errFound = errors.New("found")

// get returns a copy of the value of a key, or event.ErrNotFound.
func (s *Store) get(key []byte) ([]byte, error) {
	value, closer, err := s.db.Get(key)
	if err != nil {
		return nil, translate(err)
	}
	defer closer.Close()
	return append([]byte{}, value...), nil
}

// scan calls fn for the keys of a range in order, until fn fails.
func (s *Store) scan(lower, upper []byte, fn func(key, value []byte) error) (err error) {
	it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: upper})
	if err != nil {
		return translate(err)
	}
	defer func() {
		if closed := it.Close(); err == nil {
			err = translate(closed)
		}
	}()
	for ok := it.First(); ok; ok = it.Next() {
		value, err := it.ValueAndErr()
		if err != nil {
			return translate(err)
		}
		if err := fn(it.Key(), value); err != nil {
			return err
		}
	}
	return translate(it.Error())
}

// translate gives Pebble's errors their place among those of package event.
func translate(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, pebble.ErrNotFound):
		return event.ErrNotFound
	case errors.Is(err, syscall.ENOSPC):
		return fmt.Errorf("%w: the disk is full: %w", event.ErrExhausted, err)
	case pebble.IsCorruptionError(err):
		return fmt.Errorf("%w: %w", event.ErrCorrupt, err)
	default:
		return fmt.Errorf("%w: %w", event.ErrUnavailable, err)
	}
}

// pebbleLogger passes on what Pebble reports.
type pebbleLogger struct{ logger *slog.Logger }

func (l pebbleLogger) Infof(format string, args ...any) {
	l.logger.Debug("pebble: " + fmt.Sprintf(format, args...))
}

func (l pebbleLogger) Errorf(format string, args ...any) {
	l.logger.Error("pebble: " + fmt.Sprintf(format, args...))
}

// Fatalf ends the process: Pebble calls it where it cannot tell any more what is on
// disk. Everything acknowledged is, and the next start reads it.
func (l pebbleLogger) Fatalf(format string, args ...any) {
	l.logger.Error("pebble cannot go on: " + fmt.Sprintf(format, args...))
	os.Exit(1)
}

// diskUsage is the free space of the file system that holds a folder.
func diskUsage(dir string) (uint64, error) {
	usage, err := vfs.Default.GetDiskUsage(dir)
	return usage.AvailBytes, err
}
