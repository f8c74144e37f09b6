package importer

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

const (
	// checkpointEvery is the number of acknowledged events between two writes.
	checkpointEvery = 10_000
	// identityBytes is how much of a file's beginning tells it from others.
	identityBytes = 1 << 20
)

// Checkpoint remembers in a small file how far an import is, so that one that was broken
// off goes on there. It is behind the truth at most, never ahead of it: what it does not
// know of is sent again and found to be a duplicate.
type Checkpoint struct {
	path  string
	state checkpointState
	saved int64
}

type checkpointState struct {
	// Import says which file goes where.
	Import string `json:"import"`
	// Acknowledged is the number of events, from the beginning, that were acknowledged.
	Acknowledged int64 `json:"acknowledged"`
}

// OpenCheckpoint reads the checkpoint at path, which need not be there, for the import of
// file in that format to the server at addr. One of another import is an error.
func OpenCheckpoint(path, file string, format Format, addr string) (*Checkpoint, error) {
	identity, err := identify(file, format, addr)
	if err != nil {
		return nil, err
	}
	c := &Checkpoint{path: path, state: checkpointState{Import: identity}}
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return c, nil
	}
	if err != nil {
		return nil, err
	}
	var kept checkpointState
	if err := json.Unmarshal(data, &kept); err != nil || kept.Acknowledged < 0 {
		return nil, fmt.Errorf("%s is not the state of an import", path)
	}
	if kept.Import != identity {
		return nil, fmt.Errorf("%s is the state of another import: of another file, format or server", path)
	}
	c.state, c.saved = kept, kept.Acknowledged
	return c, nil
}

func identify(path string, format Format, addr string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return "", err
	}
	hash := sha256.New()
	_, _ = fmt.Fprintf(hash, "%s\n%s\n%d\n", format, addr, info.Size()) // a hash does not fail
	if _, err := io.CopyN(hash, file, identityBytes); err != nil && !errors.Is(err, io.EOF) {
		return "", err
	}
	return hex.EncodeToString(hash.Sum(nil)), nil
}

// Acknowledged is the number of events to leave out.
func (c *Checkpoint) Acknowledged() int64 { return c.state.Acknowledged }

// Advance takes note that the first n events were acknowledged, and writes it down now and then.
func (c *Checkpoint) Advance(n int64) error {
	c.state.Acknowledged = n
	if n-c.saved < checkpointEvery {
		return nil
	}
	return c.Save()
}

// Save writes down how far the import is.
func (c *Checkpoint) Save() error {
	data, err := json.Marshal(c.state)
	if err != nil {
		return err
	}
	temporary, err := os.CreateTemp(filepath.Dir(c.path), filepath.Base(c.path)+".*")
	if err != nil {
		return err
	}
	_, err = temporary.Write(data)
	err = errors.Join(err, temporary.Close())
	if err == nil {
		err = os.Rename(temporary.Name(), c.path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(temporary.Name()))
	}
	c.saved = c.state.Acknowledged
	return nil
}

// Remove forgets the import, which has ended.
func (c *Checkpoint) Remove() error {
	if err := os.Remove(c.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
