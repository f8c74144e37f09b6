package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/gocql/gocql"
	"github.com/redis/go-redis/v9"

	attunev1 "github.com/attune-shop/attune/gen/attune/v1"
	"github.com/attune-shop/attune/store/scylla"
)

// tableBytes is what a key with a time to live takes beside what MEMORY USAGE says, in Redis'
// tables of keys and of times to live: measured in Redis 7.0 on amd64, 56 to 85 bytes, the
// more the emptier the tables are.
const tableBytes = 60

type capacityBench struct {
	servers  `embed:""`
	Data     string `help:"Data folder of the CQL server, whose only node it must be." env:"ATTUNE_TEST_CQL_DATA" required:"" type:"existingdir"`
	Visitors int    `help:"Invented visitors." default:"3000"`
	Each     int    `help:"Views of each of them." default:"100"`
	File     string `arg:"" help:"Online Retail, as CSV." type:"existingfile"`
}

// Run stores a year of a real shop, and then views of invented visitors, and prints what
// they take in Redis and on the disk of the CQL server, in all and by event and visitor.
func (b *capacityBench) Run(ctx context.Context, attune binary) error {
	err := b.measure(ctx, attune, "orders of a year of a real shop", func(server *process) (int64, error) {
		importing := exec.CommandContext(ctx, string(attune), "import", "--addr", server.conn.Target(), "--output", "json", "online-retail", b.File)
		out, err := importing.Output()
		if err != nil {
			return 0, fmt.Errorf("import: %w", err)
		}
		var report struct{ Accepted struct{ Events int64 } }
		err = json.Unmarshal(out, &report)
		return report.Accepted.Events, err
	})
	if err != nil {
		return err
	}
	return b.measure(ctx, attune, fmt.Sprintf("views, %d of a visitor", b.Each), func(server *process) (int64, error) {
		visits, random := newVisits(b.Visitors, 1), rand.New(rand.NewPCG(1, 1))
		client := attunev1.NewEventServiceClient(server.conn)
		const size = 1000
		for from := 0; from < b.Visitors*b.Each; from += size {
			events := make([]*attunev1.Event, min(size, b.Visitors*b.Each-from))
			for i := range events {
				events[i] = new(attunev1.Event)
				visits.fill(events[i], random)
				events[i].UserId = visits.users[(from+i)/b.Each]
			}
			if _, err := client.Write(ctx, &attunev1.WriteRequest{Events: events}); err != nil {
				return 0, err
			}
		}
		return int64(b.Visitors * b.Each), nil
	})
}

// measure prints what the events take that load writes into a keyspace of their own.
func (b *capacityBench) measure(ctx context.Context, attune binary, name string, load func(*process) (int64, error)) error {
	server, keyspace, err := b.serve(ctx, attune)
	if err != nil {
		return err
	}
	defer func() { _ = server.stop(os.Interrupt) }()
	events, err := load(server)
	if err != nil {
		return err
	}
	visitors, cached, err := b.memory(ctx, keyspace)
	if err != nil {
		return err
	}
	tables, err := b.disk(ctx, keyspace)
	if err != nil {
		return err
	}
	fmt.Printf("\n%s: %d events, %d visitors\n%-28s %12s %12s %12s\n", name, events, visitors, "", "bytes", "an event", "a visitor")
	show := func(name string, bytes int64) {
		fmt.Printf("%-28s %12d %12.0f %12.0f\n", name, bytes, float64(bytes)/float64(events), float64(bytes)/float64(visitors))
	}
	show("redis", cached)
	var all int64
	for _, table := range slices.Sorted(maps.Keys(tables)) {
		show("cql "+table, tables[table])
		all += tables[table]
	}
	show("cql, one copy", all)
	return nil
}

// memory returns how many visitors of a keyspace Redis holds the features of, and the bytes
// that its keys take there, whatever else is in it.
func (b *capacityBench) memory(ctx context.Context, keyspace string) (visitors int, bytes int64, err error) {
	history, err := scylla.Open(ctx, scylla.Options{Hosts: b.Scylla, Keyspace: keyspace})
	if err != nil {
		return 0, 0, err
	}
	prefix := "attune:{" + history.ID() + ":" // as store/redis/scripts.go has it
	if err := history.Close(); err != nil {
		return 0, 0, err
	}
	cache := redis.NewClient(&redis.Options{Addr: b.Redis})
	defer cache.Close()
	keys, err := keysOf(ctx, cache, prefix)
	if err != nil {
		return 0, 0, err
	}
	for part := range slices.Chunk(keys, 1000) {
		usages, err := cache.Pipelined(ctx, func(p redis.Pipeliner) error {
			for _, key := range part {
				p.MemoryUsage(ctx, key)
			}
			return nil
		})
		if err != nil && !errors.Is(err, redis.Nil) { // a ticket may have ended meanwhile
			return 0, 0, err
		}
		for i, usage := range usages {
			bytes += usage.(*redis.IntCmd).Val() + tableBytes
			if _, visitor, _ := strings.Cut(part[i], "}"); strings.HasPrefix(visitor, ":") {
				visitors++ // else it is the generation of a shard, or a ticket
			}
		}
	}
	return visitors, bytes, nil
}

// keysOf returns the keys that begin with a prefix.
func keysOf(ctx context.Context, cache *redis.Client, prefix string) ([]string, error) {
	keys := map[string]bool{} // for a scan may return a key twice
	found := cache.Scan(ctx, 0, prefix+"*", 1000).Iterator()
	for found.Next(ctx) {
		keys[found.Val()] = true
	}
	return slices.Collect(maps.Keys(keys)), found.Err()
}

// disk returns the bytes that each table's files take, once all is in them.
func (b *capacityBench) disk(ctx context.Context, keyspace string) (map[string]int64, error) {
	session, err := b.session(keyspace)
	if err != nil {
		return nil, err
	}
	defer session.Close()
	names, err := tablesOf(ctx, session, keyspace)
	if err != nil {
		return nil, err
	}
	for _, table := range names {
		alter := session.Query("ALTER TABLE " + table + " WITH memtable_flush_period_in_ms = 1000").WithContext(ctx)
		if err := alter.Exec(); err != nil {
			return nil, fmt.Errorf("table %s: %w", table, err)
		}
	}
	const still = 10 * time.Second
	sizes, since := map[string]int64{}, time.Now()
	for time.Since(since) < still {
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(time.Second):
		}
		now, err := sizesOf(filepath.Join(b.Data, keyspace))
		if err != nil {
			return nil, err
		}
		if !maps.Equal(sizes, now) {
			sizes, since = now, time.Now()
		}
	}
	return sizes, nil
}

// tablesOf returns the names of a keyspace's tables.
func tablesOf(ctx context.Context, session *gocql.Session, keyspace string) (names []string, err error) {
	rows := session.Query(`SELECT table_name FROM system_schema.tables WHERE keyspace_name = ?`, keyspace).WithContext(ctx).Iter()
	for name := ""; rows.Scan(&name); {
		names = append(names, name)
	}
	return names, rows.Close()
}

// sizesOf adds the files of each table of a keyspace up.
func sizesOf(folder string) (map[string]int64, error) {
	sizes := map[string]int64{}
	err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if os.IsNotExist(err) || err == nil && entry.IsDir() {
			return nil // a compaction removes files
		}
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return nil //nolint:nilerr // removed meanwhile
		}
		below, err := filepath.Rel(folder, path)
		if err != nil {
			return err
		}
		table, _, _ := strings.Cut(below, "-")
		sizes[table] += info.Size()
		return nil
	})
	return sizes, err
}
