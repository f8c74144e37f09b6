package embedded

import (
	"fmt"
	"strings"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// walFS ends the process where a write to the write-ahead log, or to its folder, fails.
// Pebble would do so, too, but later, and for some of them without a word on the cause.
type walFS struct {
	vfs.FS
	failed func(err error)
}

// walFile is a file of which every write has to succeed.
type walFile struct {
	vfs.File
	name   string
	failed func(err error)
}

// Unwrap implements vfs.FS.
func (fs walFS) Unwrap() vfs.FS { return fs.FS }

// Create implements vfs.FS.
func (fs walFS) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	file, err := fs.FS.Create(name, category)
	return fs.watch(name, file, err)
}

// ReuseForWrite implements vfs.FS.
func (fs walFS) ReuseForWrite(from, to string, category vfs.DiskWriteCategory) (vfs.File, error) {
	file, err := fs.FS.ReuseForWrite(from, to, category)
	return fs.watch(to, file, err)
}

func (fs walFS) watch(name string, file vfs.File, err error) (vfs.File, error) {
	if !strings.HasSuffix(name, ".log") {
		return file, err
	}
	if err != nil {
		fs.failed(fmt.Errorf("create %s: %w", name, err))
		return nil, err
	}
	return walFile{File: file, name: name, failed: fs.failed}, nil
}

// OpenDir implements vfs.FS.
func (fs walFS) OpenDir(name string) (vfs.File, error) {
	dir, err := fs.FS.OpenDir(name)
	if err != nil {
		return nil, err
	}
	return walFile{File: dir, name: name, failed: fs.failed}, nil
}

func (f walFile) check(what string, err error) error {
	if err != nil {
		f.failed(fmt.Errorf("%s %s: %w", what, f.name, err))
	}
	return err
}

// Write implements vfs.File.
func (f walFile) Write(p []byte) (int, error) {
	n, err := f.File.Write(p)
	return n, f.check("write", err)
}

// Sync implements vfs.File.
func (f walFile) Sync() error { return f.check("sync", f.File.Sync()) }

// SyncData implements vfs.File.
func (f walFile) SyncData() error { return f.check("sync", f.File.SyncData()) }

// SyncTo implements vfs.File.
func (f walFile) SyncTo(length int64) (bool, error) {
	full, err := f.File.SyncTo(length)
	return full, f.check("sync", err)
}

// Close implements vfs.File.
func (f walFile) Close() error { return f.check("close", f.File.Close()) }
