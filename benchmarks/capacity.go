package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

type capacityBench struct {
	servers `embed:""`
	Data    string `help:"Data folder of the CQL server, whose only node it must be." env:"ATTUNE_TEST_CQL_DATA" required:"" type:"existingdir"`
	File    string `arg:"" help:"Online Retail, as CSV." type:"existingfile"`
}

// Run imports a year of a real shop and prints what it takes in Redis and on the disk of the
// CQL server, in all and by event and user.
func (b *capacityBench) Run(ctx context.Context, attune binary) error {
	cache := redis.NewClient(&redis.Options{Addr: b.Redis})
	defer cache.Close()
	before, err := memoryOf(ctx, cache)
	if err != nil {
		return err
	}
	server, keyspace, err := b.serve(ctx, attune)
	if err != nil {
		return err
	}
	defer func() { _ = server.stop(os.Interrupt) }()
	importing := exec.CommandContext(ctx, string(attune), "import", "--addr", server.conn.Target(), "--output", "json", "online-retail", b.File)
	out, err := importing.Output()
	if err != nil {
		return fmt.Errorf("import: %w", err)
	}
	var report struct{ Events int64 }
	if err := json.Unmarshal(out, &report); err != nil {
		return fmt.Errorf("import printed %s: %w", out, err)
	}
	after, err := memoryOf(ctx, cache)
	if err != nil {
		return err
	}
	users, err := cache.DBSize(ctx).Result()
	if err != nil {
		return err
	}
	tables, err := b.disk(ctx, keyspace)
	if err != nil {
		return err
	}
	fmt.Printf("%-28s %12s %12s %12s\n", fmt.Sprintf("%d events, %d visitors", report.Events, users), "bytes", "an event", "a visitor")
	show := func(name string, bytes int64) {
		fmt.Printf("%-28s %12d %12.0f %12.0f\n", name, bytes, float64(bytes)/float64(report.Events), float64(bytes)/float64(users))
	}
	show("redis", after-before)
	var all int64
	for _, table := range slices.Sorted(maps.Keys(tables)) {
		show("cql "+table, tables[table])
		all += tables[table]
	}
	show("cql, one copy", all)
	return nil
}

// memoryOf returns what a Redis has in use, in bytes.
func memoryOf(ctx context.Context, cache *redis.Client) (int64, error) {
	info, err := cache.Info(ctx, "memory").Result()
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(info) {
		if text, found := strings.CutPrefix(strings.TrimSpace(line), "used_memory:"); found {
			return strconv.ParseInt(text, 10, 64)
		}
	}
	return 0, fmt.Errorf("INFO memory has no used_memory")
}

// disk returns the bytes that each table's files take, once all is in them.
func (b *capacityBench) disk(ctx context.Context, keyspace string) (map[string]int64, error) {
	session, err := b.session(keyspace)
	if err != nil {
		return nil, err
	}
	defer session.Close()
	for _, table := range []string{"log", "events", "marks", "owners", "linked", "items", "letters", "payloads", "registers", "leases"} {
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
