package redis_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"

	"github.com/attune-shop/attune/store"
	"github.com/attune-shop/attune/store/embedded"
	"github.com/attune-shop/attune/store/redis"
	"github.com/attune-shop/attune/store/storetest"
	"github.com/attune-shop/attune/store/testservers"
)

// place keeps features in a Redis that it may kill and the rest in a folder.
type place struct {
	server *testservers.RedisServer
	dir    string
	// dumps says that Redis writes what it has to disk now and then, and comes back with it.
	dumps bool
}

func (p *place) Open(t testing.TB) store.Stores {
	t.Helper()
	durable, err := embedded.Open(p.dir, embedded.Options{Shards: 4})
	if err != nil {
		t.Fatal(err)
	}
	features, err := redis.Open(t.Context(), redis.Options{Addrs: []string{p.server.Addr}, ID: "test"})
	if err != nil {
		t.Fatal(errors.Join(err, durable.Close()))
	}
	stores := store.Join(durable, features)
	if p.dumps {
		stores = &dumping{Stores: stores, server: p.server}
	}
	return stores
}

// Crash implements storetest.Place: Redis is killed. The folder is closed as it should be,
// for its crashes are played in its own package.
func (p *place) Crash(t testing.TB, s store.Stores) store.Stores {
	t.Helper()
	p.server.Kill()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	p.server.Start()
	return p.Open(t)
}

// dumping has Redis write a dump after the first swap and after some of the later ones, so
// that what it comes back with is mostly older than what was swapped last.
type dumping struct {
	store.Stores
	server *testservers.RedisServer
	swaps  atomic.Int64
}

func (d *dumping) SwapFeatures(ctx context.Context, shard int, changes []store.Change) ([]bool, error) {
	done, err := d.Stores.SwapFeatures(ctx, shard, changes)
	if d.swaps.Add(1)%100 == 1 {
		d.server.Do("SAVE")
	}
	return done, err
}

func TestStore(t *testing.T) {
	for name, dumps := range map[string]bool{"a kill loses all": false, "a kill leaves an older dump": true} {
		t.Run(name, func(t *testing.T) {
			server := testservers.StartRedis(t, t.TempDir(), "--save", "")
			storetest.Run(t, func(t *testing.T) storetest.Place {
				server.Do("FLUSHALL") // an earlier case's dump stays, as one that is older still
				return &place{server: server, dir: t.TempDir(), dumps: dumps}
			})
		})
	}
}
