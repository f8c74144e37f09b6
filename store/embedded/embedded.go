// Package embedded keeps everything in one folder, on Pebble, within the process: the
// default store, with no server beside it. One process holds the folder at a time.
//
// Only what package store wants durable is synced. Events, links and what is
// published of segments are written behind the log into the same write-ahead log, whose order is kept: what was written before something
// that survives a crash survives it too. Features have a database of their own without a
// write-ahead log, which is written out before a mark moves.
//
// A full disk is met in two steps. While less than a reserve is free, new rows, items,
// letters and models are refused with event.ErrExhausted. Where a write meets the full
// disk all the same, it waits for room, and its caller gets event.ErrExhausted meanwhile.
// Where Pebble cannot tell any more what is on disk, the process ends (Options.Logger
// says why): everything acknowledged is stored, and the next start reads it.
package embedded

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/store"
)

// Options of a Store.
type Options struct {
	// Shards is the number of log shards of a folder that is made now, up to 65536; an
	// existing folder keeps its own. Default 16.
	Shards int
	// CacheBytes bounds the cache of blocks read from disk. Default 128 MiB.
	CacheBytes int64
	// DirtyBytes bounds the changed features that wait in memory for the next flush, over
	// all shards; as much again may be on its way to disk. Default 64 MiB.
	DirtyBytes int64
	// FeatureBytes bounds the unchanged features that are kept in memory, over all shards.
	// Default 64 MiB.
	FeatureBytes int64
	// ReserveBytes is the disk space below which nothing is taken in any more: enough for
	// Pebble to write out its memtables and to compact. Default 256 MiB.
	ReserveBytes int64
	// Logger receives what Pebble reports. Default: slog's.
	Logger *slog.Logger

	// fs and fatal, which must not return, stand in for the file system and for the end
	// of the process in tests.
	fs    vfs.FS
	fatal func(message string)
}

// Store is a folder that is open. It implements store.Stores.
type Store struct {
	db     database
	folded database // the features
	fs     vfs.FS   // without the waiting for room
	dir    string
	space  *space
	fatal  func(message string)
	shards []*shard
	// flushes counts the flushes of features into Pebble, synced those that are durable.
	flushes, synced atomic.Int64
	// commits counts those under way, which may outlast the call that began them.
	commits sync.WaitGroup
	links   *linkCache
	// catalog lets one change of items through at a time and counts them.
	catalog struct {
		sync.Mutex
		revision store.Seq
	}
	leases leases
	// registers lets one change of a register at a time through.
	registers sync.Mutex
	// letters guards the number of the last dead letter.
	letters struct {
		sync.Mutex
		last uint64
	}
	// models guards the registry of models and the number of the last payload file.
	models struct {
		sync.Mutex
		last uint64
	}
}

var _ store.Stores = (*Store)(nil)

// Open opens a folder, and makes it where there is none. Errors: event.ErrLocked where
// another process holds it, event.ErrNewerVersion where a newer Attune wrote it,
// event.ErrCorrupt where it is damaged, event.ErrExhausted where the disk is full, and
// event.ErrUnavailable where it cannot be read or written.
func Open(dir string, options Options) (*Store, error) {
	options = options.withDefaults()
	if options.Shards < 1 || options.Shards > math.MaxUint16+1 {
		return nil, fmt.Errorf("%d shards: %w", options.Shards, event.Invalid("shards", "must be 1 to 65536"))
	}
	s := &Store{fs: options.fs, dir: dir, links: newLinkCache()}
	s.fatal = func(message string) {
		options.Logger.Error("the store cannot go on; what was acknowledged is stored", "folder", dir, "cause", message)
		options.fatal(message)
	}
	s.space = newSpace(s.fs, dir, uint64(options.ReserveBytes))
	// Pebble takes memtables off the cache: under writes nothing would be left of it.
	cache := pebble.NewCache(options.CacheBytes + busyMemTables*memTableBytes)
	defer cache.Unref()
	db, err := openPebble(s.fs.PathJoin(dir, databaseFolder), s.pebbleOptions(cache, options.Logger))
	if err != nil {
		return nil, openError(dir, err)
	}
	featuresDir := s.fs.PathJoin(dir, featuresFolder)
	_, err = s.fs.Stat(featuresDir)
	unfolded := errors.Is(err, fs.ErrNotExist)
	folded, err := openPebble(featuresDir, s.featureOptions(cache, options.Logger))
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%w (%s)", openError(dir, err), featuresAdvice), db.Close())
	}
	s.db, s.folded = newDatabase(db), newDatabase(folded)
	if err := errors.Join(s.load(options, unfolded), s.openModels()); err != nil {
		return nil, errors.Join(fmt.Errorf("data folder %s: %w", dir, err), db.Close(), folded.Close())
	}
	s.space.setOpen()
	return s, nil
}

func (o Options) withDefaults() Options {
	if o.Shards == 0 {
		o.Shards = 16
	}
	if o.CacheBytes == 0 {
		o.CacheBytes = 128 << 20
	}
	if o.DirtyBytes == 0 {
		o.DirtyBytes = 64 << 20
	}
	if o.FeatureBytes == 0 {
		o.FeatureBytes = 64 << 20
	}
	if o.ReserveBytes == 0 {
		o.ReserveBytes = 256 << 20
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.fs == nil {
		o.fs = vfs.Default
	}
	if o.fatal == nil {
		o.fatal = func(string) { os.Exit(1) }
	}
	return o
}

// load reads or writes the folder's format, and what is counted in memory. unfolded says
// that there was no folder of features.
func (s *Store) load(options Options, unfolded bool) error {
	shards := options.Shards
	format, err := s.db.get(formatKey)
	switch {
	case errors.Is(err, event.ErrNotFound):
		err = s.create(shards)
	case err == nil:
		shards, err = decodeFormat(format)
		switch {
		case err == nil && unfolded:
			err = s.foldAgain(format, options.Logger)
		case err == nil:
			err = s.checkFeatures(format)
		}
	}
	if err != nil {
		return err
	}
	for n := range shards {
		sh := s.newShard(n, options.DirtyBytes/int64(shards), options.FeatureBytes/int64(shards))
		if err := errors.Join(sh.log.load(), sh.transitions.load()); err != nil {
			return err
		}
		if err := s.checkHead(n, store.Seq(sh.log.head.Load())); err != nil {
			return err
		}
		s.shards = append(s.shards, sh)
	}
	s.letters.last, err = s.db.number(lettersKey)
	return err
}

// create writes the format of a new folder.
func (s *Store) create(shards int) error {
	keys, err := s.db.holds(nil)
	if err != nil {
		return err
	}
	if keys {
		return fmt.Errorf("%w: there are keys, but no format record", event.ErrCorrupt)
	}
	features, err := s.folded.holds(after(formatKey))
	if err != nil {
		return err
	}
	if features {
		return fmt.Errorf("%w: there are features, but no database that they are of", event.ErrCorrupt)
	}
	format := encodeFormat(shards)
	return translate(errors.Join(s.markFeatures(format), s.db.Set(formatKey, format, pebble.Sync), s.db.Flush()))
}

// checkFeatures sees that the features are those of this folder, for marks stand for them.
func (s *Store) checkFeatures(format []byte) error {
	theirs, err := s.folded.get(formatKey)
	if errors.Is(err, event.ErrNotFound) || err == nil && !bytes.Equal(theirs, format) {
		return fmt.Errorf("%w: the features are damaged, or another folder's (%s)", event.ErrCorrupt, featuresAdvice)
	}
	return err
}

// featuresAdvice is the way out where only the features are damaged.
const featuresAdvice = "without the folder " + featuresFolder + " they are made again"

// checkHead sees that no row is gone of which the features know.
func (s *Store) checkHead(shard int, last store.Seq) error {
	known, err := s.folded.number(shardKey('h', shard))
	if err != nil {
		return fmt.Errorf("head of shard %d: %w", shard, err)
	}
	if store.Seq(known) > last {
		return fmt.Errorf("%w: shard %d ends at row %d, and the features know of row %d: the write-ahead log is damaged or gone (without the folder %s, what is left is served)",
			event.ErrCorrupt, shard, last, known, featuresFolder)
	}
	return nil
}

// foldAgain has the history fold every feature again, for their folder is gone: no mark
// stands for any.
func (s *Store) foldAgain(format []byte, logger *slog.Logger) error {
	logger.Warn("the features are gone and are made again", "folder", s.dir)
	marks := []byte{'m'}
	if err := s.db.DeleteRange(marks, after(marks), pebble.Sync); err != nil {
		return translate(err)
	}
	return translate(s.markFeatures(format))
}

// markFeatures makes the features those of this folder.
func (s *Store) markFeatures(format []byte) error {
	return errors.Join(s.folded.Set(formatKey, format, pebble.NoSync), s.folded.Flush())
}

// closePatience is how long Close waits for room on a full disk.
const closePatience = 5 * time.Second

// Close flushes features and lets go of the folder. On a disk that stays full it gives
// up with event.ErrExhausted; what was acknowledged is stored, the rest is made again
// from it.
func (s *Store) Close() error {
	done := make(chan error, 1)
	go func() { done <- s.close() }()
	for {
		select {
		case err := <-done:
			return err
		case <-time.After(closePatience):
			select {
			case <-s.space.full():
				return s.space.exhausted
			default:
			}
		}
	}
}

func (s *Store) close() error {
	defer s.guard()
	s.commits.Wait()
	var errs []error
	for _, sh := range s.shards {
		errs = append(errs, s.flush(context.Background(), sh))
	}
	s.commits.Wait()
	// Written out, the next start has no write-ahead log to replay.
	return errors.Join(append(errs, translate(s.folded.Flush()), s.folded.close(),
		translate(s.db.Flush()), translate(s.db.LogData(nil, pebble.Sync)), s.db.close())...)
}
