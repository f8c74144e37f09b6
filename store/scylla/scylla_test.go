package scylla

import (
	"io"
	"sync"
	"testing"

	"github.com/attune-shop/attune/store"
	"github.com/attune-shop/attune/store/embedded"
	"github.com/attune-shop/attune/store/redis"
	"github.com/attune-shop/attune/store/storetest"
	"github.com/attune-shop/attune/store/testservers"
)

// keyspaces are those that tests made: they are used again, for it takes long to make one.
var keyspaces struct {
	sync.Mutex
	free []string
}

// freshKeyspace returns an empty keyspace, which is the test's until it ends.
func freshKeyspace(t *testing.T) string {
	t.Helper()
	hosts := testservers.CQL(t)
	keyspaces.Lock()
	defer keyspaces.Unlock()
	var name string
	if n := len(keyspaces.free); n > 0 {
		name, keyspaces.free = keyspaces.free[n-1], keyspaces.free[:n-1]
		empty(t, name)
	} else {
		name = testservers.KeyspaceName()
		err := Migrate(t.Context(), Options{Hosts: hosts, Keyspace: name}, MigrateOptions{Replication: 1, Shards: 4}, io.Discard)
		if err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		keyspaces.Lock()
		defer keyspaces.Unlock()
		keyspaces.free = append(keyspaces.free, name)
	})
	return name
}

// empty truncates the tables that have rows, and lets the registers of the schema stay.
func empty(t *testing.T, keyspace string) {
	t.Helper()
	session, err := connect(Options{Hosts: testservers.CQL(t)}.withDefaults(), keyspace)
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	for _, table := range []string{"log", "marks", "events", "owners", "linked", "seen_with", "items", "letters", "payloads", "leases", "published", "members", "sizes", "timers", "timer_hours"} {
		rows := session.Query("SELECT * FROM " + table + " LIMIT 1").Iter()
		some := rows.NumRows() > 0
		if err := rows.Close(); err != nil {
			t.Fatal(err)
		}
		// Of what was deleted with a stamp something stays that no row tells of.
		stamped := table == "published" || table == "members" || table == "sizes"
		if some || stamped {
			if err := session.Query("TRUNCATE " + table).Exec(); err != nil {
				t.Fatal(err)
			}
		}
	}
	var name string
	for names := session.Query(`SELECT name FROM registers`).Iter(); names.Scan(&name); {
		if name == schemaRegister || name == formatRegister {
			continue
		}
		if err := session.Query(`DELETE FROM registers WHERE name = ? IF EXISTS`, name).Exec(); err != nil {
			t.Fatal(err)
		}
	}
}

// opened is a store on a keyspace, until the test ends.
func opened(t *testing.T, keyspace string) *Store {
	t.Helper()
	s, err := Open(t.Context(), Options{Hosts: testservers.CQL(t), Keyspace: keyspace})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// place keeps everything but features in a keyspace.
type place struct {
	keyspace string
	beside   beside

	durable  *Store
	features features
}

type features interface {
	store.Features
	io.Closer
}

// beside is where a place's features are.
type beside interface {
	// open opens those of the keyspace with an id.
	open(t testing.TB, id string) features
	// crash does to closed features what ends their server, if that can be.
	crash()
}

func (p *place) Open(t testing.TB) store.Stores {
	t.Helper()
	var err error
	p.durable, err = Open(t.Context(), Options{Hosts: testservers.CQL(t), Keyspace: p.keyspace})
	if err != nil {
		t.Fatal(err)
	}
	p.features = p.beside.open(t, p.durable.ID())
	return store.Join(p.durable, p.features)
}

// Crash implements storetest.Place: what a killed process leaves is what another one finds
// that opens the keyspace beside it.
func (p *place) Crash(t testing.TB, _ store.Stores) store.Stores {
	t.Helper()
	killed := p.durable
	t.Cleanup(func() {
		if err := killed.Close(); err != nil {
			t.Error(err)
		}
	})
	p.beside.crash()
	if err := p.features.Close(); err != nil {
		t.Fatal(err)
	}
	return p.Open(t)
}

// folder has features that survive: how a folder crashes is played in its own package.
type folder struct{ dir string }

func (f folder) open(t testing.TB, _ string) features {
	t.Helper()
	s, err := embedded.Open(f.dir, embedded.Options{Shards: 4})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (folder) crash() {}

// cache has features in a Redis that is killed with the process.
type cache struct{ server *testservers.RedisServer }

func (c cache) open(t testing.TB, id string) features {
	t.Helper()
	s, err := redis.Open(t.Context(), redis.Options{Addrs: []string{c.server.Addr}, ID: id})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (c cache) crash() {
	c.server.Kill()
	c.server.Start()
}

// BenchmarkMembers has fewer users than that of a folder: each row is a write of a server.
func BenchmarkMembers(b *testing.B) {
	options := Options{Hosts: testservers.CQL(b), Keyspace: testservers.KeyspaceName()}
	if err := Migrate(b.Context(), options, MigrateOptions{Replication: 1, Shards: 4}, io.Discard); err != nil {
		b.Fatal(err)
	}
	const users, segments = 40_000, 5
	storetest.BenchMembers(b, users, segments, func(b *testing.B) store.Stores {
		s, err := Open(b.Context(), options)
		if err != nil {
			b.Fatal(err)
		}
		return store.Join(s, folder{b.TempDir()}.open(b, ""))
	})
}

func TestStore(t *testing.T) {
	testservers.CQL(t)
	storetest.Run(t, func(t *testing.T) storetest.Place {
		return &place{keyspace: freshKeyspace(t), beside: folder{t.TempDir()}}
	})
}

// TestBesideRedis is of the pair that is served.
func TestBesideRedis(t *testing.T) {
	testservers.CQL(t)
	server := testservers.StartRedis(t, t.TempDir(), "--save", "")
	storetest.Run(t, func(t *testing.T) storetest.Place {
		server.Do("FLUSHALL") // a keyspace that is used again has its id still
		return &place{keyspace: freshKeyspace(t), beside: cache{server}}
	})
}
