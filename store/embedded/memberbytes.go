package embedded

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/cockroachdb/pebble/v2/objstorage/objstorageprovider"
	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// MembershipBytes returns what is published of segments takes on disk, in bytes: the records of users,
// and the members of segments. It writes each into a table of its own, in memory, as compactions
// do into the last level: files of the folder hold other things beside them, and what is replaced
// and deleted. That takes memory and time linear in them.
func (s *Store) MembershipBytes(ctx context.Context) (byUser, bySegment int64, err error) {
	byUser, err = s.tableBytes(ctx, 's')
	if err == nil {
		bySegment, err = s.tableBytes(ctx, 'b')
	}
	if err != nil {
		return 0, 0, fmt.Errorf("bytes of memberships: %w", err)
	}
	return byUser, bySegment, nil
}

// tableBytes returns the size of a table with all keys of a kind.
func (s *Store) tableBytes(ctx context.Context, kind byte) (int64, error) {
	memory := vfs.NewMem()
	file, err := memory.Create("table", vfs.WriteCategoryUnspecified)
	if err != nil {
		return 0, translate(err)
	}
	options := s.pebbleOptions(nil, slog.New(slog.DiscardHandler))
	options.EnsureDefaults()
	table := sstable.NewWriter(objstorageprovider.NewFileWritable(file), options.MakeWriterOptions(len(options.Levels)-1, s.db.TableFormat()))
	err = s.db.scan([]byte{kind}, after([]byte{kind}), func(key, value []byte) error {
		return errors.Join(ctx.Err(), table.Set(key, value))
	})
	if err = errors.Join(err, table.Close()); err != nil {
		return 0, translate(err)
	}
	info, err := memory.Stat("table")
	if err != nil {
		return 0, translate(err)
	}
	return info.Size(), nil
}
