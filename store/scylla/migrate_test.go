package scylla

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"golang.org/x/sync/errgroup"

	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/store"
	"github.com/attune-shop/attune/store/testservers"
)

// TestMigrateFromSeveralProcesses: all of them end well, on one keyspace.
func TestMigrateFromSeveralProcesses(t *testing.T) {
	options := Options{Hosts: testservers.CQL(t), Keyspace: testservers.KeyspaceName()}
	migrate := MigrateOptions{Replication: 1, Shards: 3}
	migrating, ctx := errgroup.WithContext(t.Context())
	outs := make([]bytes.Buffer, 4)
	for i := range outs {
		migrating.Go(func() error { return Migrate(ctx, options, migrate, &outs[i]) })
	}
	if err := migrating.Wait(); err != nil {
		t.Fatal(err)
	}
	made := 0
	for i := range outs {
		if said := outs[i].String(); !strings.Contains(said, fmt.Sprintf("is at schema version %d, with 3 shards", len(migrations))) {
			t.Errorf("said %q", said)
		} else if strings.Contains(said, "schema version 1\n") {
			made++
		}
	}
	if made != 1 {
		t.Errorf("%d of them made the tables", made)
	}

	// Once more, with another number of shards: that of the first time stays.
	var again bytes.Buffer
	if err := Migrate(t.Context(), options, MigrateOptions{Replication: 1, Shards: 9}, &again); err != nil || !strings.Contains(again.String(), "with 3 shards") {
		t.Errorf("again: %q, %v", again.String(), err)
	}
	var nothing bytes.Buffer
	if err := Migrate(t.Context(), options, MigrateOptions{Replication: 1, Shards: 3, DryRun: true}, &nothing); err != nil || nothing.Len() > 0 {
		t.Errorf("nothing is left to do: %q, %v", nothing.String(), err)
	}
	s, err := Open(t.Context(), options)
	if err != nil {
		t.Fatal(err)
	}
	if s.Shards() != 3 || s.ID() == "" {
		t.Errorf("%d shards, id %q", s.Shards(), s.ID())
	}

	// A newer version has been there.
	if err := changeRegister(t.Context(), s, schemaRegister, func(s *schema) error { s.Version = 99; return nil }); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if _, err := Open(t.Context(), options); !errors.Is(err, event.ErrNewerVersion) {
		t.Errorf("opened a newer version: %v", err)
	}
	if err := Migrate(t.Context(), options, migrate, &again); !errors.Is(err, event.ErrNewerVersion) {
		t.Errorf("migrated a newer version: %v", err)
	}
}

// TestMigrateFromEachVersion: a keyspace that an older binary made is refused until it is
// migrated, and keeps what it has.
func TestMigrateFromEachVersion(t *testing.T) {
	for version := 1; version < len(migrations); version++ {
		options := Options{Hosts: testservers.CQL(t), Keyspace: testservers.KeyspaceName()}
		if err := older(version, func() error {
			return Migrate(t.Context(), options, MigrateOptions{Replication: 1, Shards: 3}, io.Discard)
		}); err != nil {
			t.Fatal(err)
		}
		var s *Store
		err := older(version, func() (err error) {
			s, err = Open(t.Context(), options)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Append(t.Context(), 0, 1, []byte("row")); err != nil {
			t.Error(err)
		}
		id := s.ID()
		if err := s.Close(); err != nil {
			t.Error(err)
		}

		if _, err := Open(t.Context(), options); err == nil || !strings.Contains(err.Error(), "run attune migrate") {
			t.Errorf("version %d: %v", version, err)
		}
		var dry, out bytes.Buffer
		if err := Migrate(t.Context(), options, MigrateOptions{Replication: 1, Shards: 3, DryRun: true}, &dry); err != nil ||
			strings.Contains(dry.String(), "registers") || !strings.Contains(dry.String(), "CREATE TABLE") {
			t.Errorf("version %d, what would run: %q, %v", version, dry.String(), err)
		}
		if err := Migrate(t.Context(), options, MigrateOptions{Replication: 1, Shards: 9}, &out); err != nil ||
			strings.Contains(out.String(), fmt.Sprintf("schema version %d\n", version)) || !strings.Contains(out.String(), "with 3 shards") {
			t.Errorf("version %d: %q, %v", version, out.String(), err)
		}
		s = opened(t, options.Keyspace)
		head, err := s.Head(t.Context(), 0)
		if err != nil || head != 1 || s.ID() != id {
			t.Errorf("version %d: head %d of %s, which was %s, %v", version, head, s.ID(), id, err)
		}
		if err := s.PutMembers(t.Context(), 0, 1, []store.MemberChange{{Now: store.Member{UserID: "ann", Segments: []uint32{1}}}}, nil); err != nil {
			t.Error(err)
		}
		// The older binary refuses it from now on.
		if err := older(version, func() error { return second(Open(t.Context(), options)) }); !errors.Is(err, event.ErrNewerVersion) {
			t.Errorf("version %d opened a newer one: %v", version, err)
		}
	}
}

// older runs a step of a binary that knows the first so many versions.
func older(versions int, step func() error) error {
	all := migrations
	migrations = all[:versions]
	defer func() { migrations = all }()
	return step()
}

func second[R any](_ R, err error) error { return err }

// TestMigrateAtOnce: of a keyspace that another makes at this moment nodes know before it can
// be used.
func TestMigrateAtOnce(t *testing.T) {
	hosts := testservers.CQL(t)
	for round := range 3 {
		options := Options{Hosts: hosts, Keyspace: testservers.KeyspaceName()}
		migrating, ctx := errgroup.WithContext(t.Context())
		for range 6 {
			migrating.Go(func() error { return Migrate(ctx, options, MigrateOptions{Replication: 1, Shards: 3}, io.Discard) })
		}
		if err := migrating.Wait(); err != nil {
			t.Errorf("round %d: %v", round, err)
		}
	}
}

// TestDryRun prints what makes a keyspace, and makes none.
func TestDryRun(t *testing.T) {
	options := Options{Hosts: testservers.CQL(t), Keyspace: testservers.KeyspaceName()}
	var out bytes.Buffer
	if err := Migrate(t.Context(), options, MigrateOptions{Replication: 1, Shards: 3, DryRun: true}, &out); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), options); err == nil {
		t.Error("a dry run made the keyspace")
	}
	// What was printed makes what a migration makes.
	server, err := connect(options.withDefaults(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	for line := range strings.Lines(out.String()) {
		statement := strings.TrimSuffix(strings.TrimSpace(line), ";")
		if strings.HasPrefix(statement, "USE ") {
			session, err := connect(options.withDefaults(), options.Keyspace)
			if err != nil {
				t.Fatal(err)
			}
			defer session.Close()
			server = session
			continue
		}
		if err := server.Query(statement).Exec(); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
	if err := Migrate(t.Context(), options, MigrateOptions{Replication: 1, Shards: 3}, &out); err != nil {
		t.Error(err)
	}
}

func TestKeyspacesThatCannotBeOpened(t *testing.T) {
	hosts := testservers.CQL(t)
	for name, tc := range map[string]struct {
		options Options
		wants   string
	}{
		"no keyspace": {Options{Hosts: hosts, Keyspace: testservers.KeyspaceName()}, "attune migrate"},
		"no name":     {Options{Hosts: hosts, Keyspace: "Shop"}, "begin with a letter"},
		"no server":   {Options{Hosts: []string{"127.0.0.1:1"}, Keyspace: "x"}, "127.0.0.1:1"},
		"no level":    {Options{Hosts: hosts, Keyspace: "x", Consistency: "SOME"}, "SOME"},
		"two ports":   {Options{Hosts: []string{"a:1", "b:2"}, Keyspace: "x"}, "one port"},
		"no port":     {Options{Hosts: []string{"a:b"}, Keyspace: "x"}, "a:b"},
		"no host":     {Options{Keyspace: "x"}, "host"},
	} {
		if _, err := Open(t.Context(), tc.options); err == nil || !strings.Contains(err.Error(), tc.wants) {
			t.Errorf("%s: error is %v, want one that says %q", name, err, tc.wants)
		}
	}
	for _, tc := range []struct {
		keyspace            string
		replication, shards int
	}{{"Upper", 1, 1}, {"x; DROP", 1, 1}, {"", 1, 1}, {"x", 0, 1}, {"x", 1, 0}, {"x", 1, 100_000}} {
		var invalid *event.InvalidError
		err := Migrate(context.Background(), Options{Hosts: hosts, Keyspace: tc.keyspace}, MigrateOptions{Replication: tc.replication, Shards: tc.shards}, new(bytes.Buffer))
		if !errors.As(err, &invalid) {
			t.Errorf("%+v: %v", tc, err)
		}
	}
}
