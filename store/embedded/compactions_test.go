package embedded

import (
	"log/slog"
	"strconv"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// TestCompactionsRun opens a database whose first level is full, and fills it again and again.
func TestCompactionsRun(t *testing.T) {
	dir := t.TempDir()
	open := func(due int) *pebble.DB {
		db, err := openPebble(dir, &pebble.Options{
			FS: vfs.Default, L0CompactionThreshold: due, L0StopWritesThreshold: 1000, Logger: pebbleLogger{logger: slog.New(slog.DiscardHandler)},
		})
		if err != nil {
			t.Fatal(err)
		}
		return db
	}
	flush := func(db *pebble.DB) {
		for i := range 100 {
			if err := db.Set([]byte(strconv.Itoa(i)), []byte("value"), pebble.NoSync); err != nil {
				t.Fatal(err)
			}
		}
		if err := db.Flush(); err != nil {
			t.Fatal(err)
		}
	}
	compacted := func(db *pebble.DB) {
		for db.Metrics().Levels[0].Sublevels > 1 {
			time.Sleep(time.Millisecond)
		}
	}
	db := open(1000)
	for range 5 {
		flush(db)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	db = open(2)
	compacted(db)
	for range 5 {
		for range 5 {
			flush(db)
		}
		compacted(db)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}
