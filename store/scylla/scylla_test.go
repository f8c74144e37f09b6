package scylla

import (
	"crypto/rand"
	"io"
	"strings"
	"sync"
	"testing"

	"github.com/attune-shop/attune/store"
	"github.com/attune-shop/attune/store/embedded"
	"github.com/attune-shop/attune/store/storetest"
)

// keyspaces are those that tests made: they are used again, for it takes long to make one.
var keyspaces struct {
	sync.Mutex
	free []string
}

// freshKeyspace returns an empty keyspace, which is the test's until it ends.
func freshKeyspace(t *testing.T) string {
	t.Helper()
	hosts := storetest.CQL(t)
	keyspaces.Lock()
	defer keyspaces.Unlock()
	var name string
	if n := len(keyspaces.free); n > 0 {
		name, keyspaces.free = keyspaces.free[n-1], keyspaces.free[:n-1]
		empty(t, name)
	} else {
		name = "test_" + strings.ToLower(rand.Text()[:8])
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
	session, err := connect(Options{Hosts: storetest.CQL(t)}.withDefaults(), keyspace)
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	for _, table := range []string{"log", "marks", "events", "owners", "linked", "items", "letters", "payloads", "leases"} {
		rows := session.Query("SELECT * FROM " + table + " LIMIT 1").Iter()
		some := rows.NumRows() > 0
		if err := rows.Close(); err != nil {
			t.Fatal(err)
		}
		if some {
			if err := session.Query("TRUNCATE " + table).Exec(); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, name := range []string{lettersRegister, modelsRegister, checkpointRegister("trend")} {
		if err := session.Query(`DELETE FROM registers WHERE name = ? IF EXISTS`, name).Exec(); err != nil {
			t.Fatal(err)
		}
	}
}

// place keeps features in a folder and the rest in a keyspace.
type place struct {
	keyspace, dir string
}

func (p place) Open(t testing.TB) store.Stores {
	t.Helper()
	durable, err := Open(t.Context(), Options{Hosts: storetest.CQL(t), Keyspace: p.keyspace})
	if err != nil {
		t.Fatal(err)
	}
	features, err := embedded.Open(p.dir, embedded.Options{Shards: 4})
	if err != nil {
		t.Fatal(err)
	}
	return store.Join(durable, features)
}

// Crash implements storetest.Place: what a killed process leaves is what another finds that
// opens the keyspace beside it. Its features are another matter.
func (p place) Crash(t testing.TB, s store.Stores) store.Stores {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return p.Open(t)
}

func TestStore(t *testing.T) {
	storetest.CQL(t)
	storetest.Run(t, func(t *testing.T) storetest.Place { return place{freshKeyspace(t), t.TempDir()} })
}
