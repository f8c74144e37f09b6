package redis_test

import (
	"crypto/rand"
	"testing"

	"github.com/attune-shop/attune/store"
	"github.com/attune-shop/attune/store/embedded"
	"github.com/attune-shop/attune/store/redis"
	"github.com/attune-shop/attune/store/storetest"
)

// place keeps features in Redis and the rest in a folder.
type place struct{ dir, id string }

func (p place) Open(t testing.TB) store.Stores {
	t.Helper()
	durable, err := embedded.Open(p.dir, embedded.Options{Shards: 4})
	if err != nil {
		t.Fatal(err)
	}
	features, err := redis.Open(t.Context(), redis.Options{Addrs: []string{storetest.Redis(t)}, ID: p.id})
	if err != nil {
		t.Fatal(err)
	}
	return store.Join(durable, features)
}

// Crash implements storetest.Place: nothing that Redis promises survives one.
func (p place) Crash(testing.TB, store.Stores) store.Stores { return nil }

func TestStore(t *testing.T) {
	storetest.Redis(t)
	storetest.Run(t, func(t *testing.T) storetest.Place { return place{t.TempDir(), rand.Text()[:8]} })
}
