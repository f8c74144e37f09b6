package importer

import (
	"bufio"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"sync/atomic"
)

// File is a file that is read from its beginning to its end, unpacked where it is gzip'ed.
type File struct {
	file *os.File
	gzip *gzip.Reader
	from io.Reader
	size int64
	read atomic.Int64
}

// OpenFile opens a file. Whether it is gzip'ed is told by its first bytes, not its name.
func OpenFile(path string) (*File, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	f := &File{file: file}
	if err := f.begin(); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", path, err), file.Close())
	}
	return f, nil
}

func (f *File) begin() error {
	info, err := f.file.Stat()
	if err != nil {
		return err
	}
	if info.IsDir() {
		return errors.New("is a folder")
	}
	f.size = info.Size()
	raw := bufio.NewReaderSize(counted{f}, 1<<16)
	f.from = raw
	if magic, err := raw.Peek(2); err == nil && magic[0] == 0x1f && magic[1] == 0x8b {
		if f.gzip, err = gzip.NewReader(raw); err != nil {
			return err
		}
		f.from = f.gzip
	}
	return nil
}

// Read reads what the file holds, unpacked.
func (f *File) Read(p []byte) (int, error) { return f.from.Read(p) }

// Size is the file's size in bytes as it lies on disk.
func (f *File) Size() int64 { return f.size }

// BytesRead is how many of them were read; safe beside Read.
func (f *File) BytesRead() int64 { return f.read.Load() }

// Close closes the file.
func (f *File) Close() error { return f.file.Close() }

// counted counts what is read of the file as it lies on disk.
type counted struct{ *File }

func (c counted) Read(p []byte) (int, error) {
	n, err := c.file.Read(p)
	c.read.Add(int64(n))
	return n, err
}
