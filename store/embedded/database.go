package embedded

import (
	"errors"
	"fmt"
	"io"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"

	"github.com/attune-shop/attune/model/event"
)

// database is one of the store's two: that of everything durable, with a write-ahead log,
// and that of features without one, which are made again from the log after the marks.
type database struct {
	*pebble.DB
	// unreadable says that a file of values could not be read.
	unreadable *atomic.Bool
}

func newDatabase(db *pebble.DB) database { return database{db, new(atomic.Bool)} }

// close closes the database. Pebble cannot where a read ended in a panic: it is left as a
// kill leaves it.
func (d database) close() error {
	if d.unreadable.Load() {
		return fmt.Errorf("%w: a file of values could not be read", event.ErrCorrupt)
	}
	return translate(d.Close())
}

// get returns a copy of the value of a key, or event.ErrNotFound.
func (d database) get(key []byte) ([]byte, error) {
	var closer io.Closer
	value, err := d.readable(func() (value []byte, err error) {
		value, closer, err = d.Get(key)
		return value, err
	})
	if err != nil {
		return nil, err
	}
	copied := append([]byte{}, value...)
	return copied, translate(closer.Close())
}

// readable reads a value. Where the file of a separated value is gone, Pebble panics.
func (d database) readable(read func() ([]byte, error)) (value []byte, err error) {
	defer func() {
		if gone := recover(); gone != nil {
			d.unreadable.Store(true)
			err = fmt.Errorf("%w: a file of values cannot be read: %v", event.ErrCorrupt, gone)
		}
	}()
	value, err = read()
	return value, translate(err)
}

// number returns the number that is a key's value, 0 where there is none.
func (d database) number(key []byte) (uint64, error) {
	value, err := d.get(key)
	if errors.Is(err, event.ErrNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return decodeNumber(value)
}

// holds tells whether there is a key from lower on.
func (d database) holds(lower []byte) (found bool, err error) {
	err = d.scan(lower, nil, func([]byte, []byte) error {
		found = true
		return errFound
	})
	return found, err
}

// errFound ends a scan that has what it looked for.
var errFound = errors.New("found")

// scan calls fn for the keys of a range in order, until fn fails. errFound is no failure.
func (d database) scan(lower, upper []byte, fn func(key, value []byte) error) (err error) {
	it, err := d.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: upper})
	if err != nil {
		return translate(err)
	}
	defer func() {
		if closed := it.Close(); err == nil {
			err = translate(closed)
		}
	}()
	for ok := it.First(); ok; ok = it.Next() {
		value, err := d.readable(it.ValueAndErr)
		if err != nil {
			return err
		}
		if err := fn(it.Key(), value); errors.Is(err, errFound) {
			return nil
		} else if err != nil {
			return err
		}
	}
	return translate(it.Error())
}

// last returns the last key that begins with prefix, nil where there is none.
func (d database) last(prefix []byte) ([]byte, error) {
	it, err := d.NewIter(&pebble.IterOptions{LowerBound: prefix, UpperBound: after(prefix)})
	if err != nil {
		return nil, translate(err)
	}
	var key []byte
	if it.Last() {
		key = append(key, it.Key()...)
	}
	return key, translate(it.Close())
}
