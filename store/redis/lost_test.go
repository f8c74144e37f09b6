package redis_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/store"
	attuneredis "github.com/attune-shop/attune/store/redis"
	"github.com/attune-shop/attune/store/testservers"
)

const shard = 3

var ann = event.User("ann")

// visitor is one visitor's features in one Redis.
type visitor struct {
	t *testing.T
	*attuneredis.Store
}

func open(t *testing.T, options attuneredis.Options) visitor {
	t.Helper()
	options.ID = "test"
	s, err := attuneredis.Open(t.Context(), options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return visitor{t, s}
}

// get waits for the server to answer.
func (v visitor) get() store.Stored {
	v.t.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		found, err := v.GetFeatures(v.t.Context(), shard, []event.Visitor{ann})
		if err == nil {
			return found[0]
		}
		if !errors.Is(err, event.ErrUnavailable) || time.Now().After(deadline) {
			v.t.Fatal(err)
		}
	}
}

func (v visitor) swap(old store.Stored, value string) bool {
	v.t.Helper()
	done, err := v.SwapFeatures(v.t.Context(), shard, []store.Change{{Visitor: ann, Old: old, New: []byte(value)}})
	if err != nil {
		v.t.Fatal(err)
	}
	return done[0]
}

func (v visitor) wants(value string) {
	v.t.Helper()
	if got := v.get(); string(got.Value) != value {
		v.t.Errorf("found %q, want %q", got.Value, value)
	}
}

func client(t *testing.T, addr string) *redis.Client {
	c := redis.NewClient(&redis.Options{Addr: addr})
	t.Cleanup(func() { _ = c.Close() }) // nothing waits in it
	return c
}

// TestAnOlderDump restarts Redis from a dump that is older than what was stored: neither
// the values nor the tickets in it are taken for what is.
func TestAnOlderDump(t *testing.T) {
	dir := t.TempDir()
	server := testservers.StartRedis(t, dir, "--save", "")
	v := open(t, attuneredis.Options{Addrs: []string{server.Addr}})
	bob := []event.Visitor{event.User("bob")}
	ticket, err := v.GetFeatures(t.Context(), shard, bob)
	if err != nil {
		t.Fatal(err)
	}
	v.swap(v.get(), "old")
	old := v.get()
	if err := client(t, server.Addr).Save(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	v.swap(old, "new")
	server.Kill()
	server.Start()
	absent := v.get()
	if absent.Value != nil {
		t.Errorf("%q came back", absent.Value)
	}
	if v.swap(old, "from old") {
		t.Error("a value of before the restart was changed")
	}
	done, err := v.SwapFeatures(t.Context(), shard, []store.Change{{Visitor: bob[0], Old: ticket[0], New: []byte("x")}})
	if err != nil || done[0] {
		t.Error("a ticket of before the restart was good", err)
	}
	if !v.swap(absent, "made again") {
		t.Error("a new ticket was no good")
	}
	v.wants("made again")
}

// TestFailover has a replica that lags behind become the master, and the old master come
// back as the master again.
func TestFailover(t *testing.T) {
	first := testservers.StartRedis(t, t.TempDir(), "--save", "")
	second := testservers.StartRedis(t, t.TempDir(), "--save", "", "--repl-diskless-sync-delay", "0")
	host, port, err := net.SplitHostPort(first.Addr)
	if err != nil {
		t.Fatal(err)
	}
	replica := client(t, second.Addr)
	on1, on2 := open(t, attuneredis.Options{Addrs: []string{first.Addr}}), open(t, attuneredis.Options{Addrs: []string{second.Addr}})
	on1.swap(on1.get(), "old")
	follow := func(c *redis.Client, host, port string) {
		if err := c.ReplicaOf(t.Context(), host, port).Err(); err != nil {
			t.Fatal(err)
		}
		for strings.Contains(c.Info(t.Context(), "replication").Val(), "master_link_status:down") {
			time.Sleep(20 * time.Millisecond)
		}
	}
	follow(replica, host, port)
	if err := replica.ReplicaOf(t.Context(), "NO", "ONE").Err(); err != nil {
		t.Fatal(err)
	}
	on1.swap(on1.get(), "new") // which the second never hears of
	if got := on2.get(); got.Value != nil {
		t.Errorf("%q is there after a failover", got.Value)
	}
	// Back again, with the dataset of the second.
	host, port, err = net.SplitHostPort(second.Addr)
	if err != nil {
		t.Fatal(err)
	}
	c := client(t, first.Addr)
	follow(c, host, port)
	if err := c.ReplicaOf(t.Context(), "NO", "ONE").Err(); err != nil {
		t.Fatal(err)
	}
	if got := on1.get(); got.Value != nil {
		t.Errorf("%q is there after a failover and back", got.Value)
	}
}

func TestFlushedAndExpired(t *testing.T) {
	server := testservers.StartRedis(t, t.TempDir(), "--save", "")
	v := open(t, attuneredis.Options{Addrs: []string{server.Addr}, TTL: time.Second})
	ticket := v.get()
	if err := client(t, server.Addr).FlushAll(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	if v.swap(ticket, "x") {
		t.Error("a ticket outlived a flush")
	}
	v.swap(v.get(), "a")
	v.wants("a")
	for v.get().Value != nil {
		time.Sleep(50 * time.Millisecond)
	}
}

func TestServersThatAreRefused(t *testing.T) {
	for name, args := range map[string][]string{
		"allkeys-lru": {"--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru"},
		"NOAUTH":      {"--requirepass", "secret"},
	} {
		server := testservers.StartRedis(t, t.TempDir(), append([]string{"--save", ""}, args...)...)
		_, err := attuneredis.Open(t.Context(), attuneredis.Options{Addrs: []string{server.Addr}})
		if err == nil || !strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), server.Addr) {
			t.Errorf("error is %v, want one of %s at %s", err, name, server.Addr)
		}
	}
}

// TestAUserOfFewRights names the rights that a user of Redis needs.
func TestAUserOfFewRights(t *testing.T) {
	acl := filepath.Join(t.TempDir(), "users.acl")
	user := "user default off\nuser attune on >secret ~attune:* +evalsha +eval +info +get +set +del +scan +ping +hello +client|setname\n"
	if err := os.WriteFile(acl, []byte(user), 0o600); err != nil {
		t.Fatal(err)
	}
	server := testservers.StartRedis(t, t.TempDir(), "--save", "", "--aclfile", acl)
	v := open(t, attuneredis.Options{Addrs: []string{server.Addr}, Username: "attune", Password: "secret"})
	v.swap(v.get(), "a")
	v.wants("a")
	seen := 0
	if err := v.ScanFeatures(t.Context(), func(event.Visitor, []byte) error { seen++; return nil }); err != nil || seen != 1 {
		t.Errorf("%d seen, %v", seen, err)
	}
}

// TestCluster spreads shards over a real cluster of three nodes.
func TestCluster(t *testing.T) {
	var addrs []string
	for range 3 {
		server := testservers.StartRedis(t, t.TempDir(), "--save", "", "--cluster-enabled", "yes")
		addrs = append(addrs, server.Addr)
	}
	for i, addr := range addrs {
		c := client(t, addr)
		host, port, err := net.SplitHostPort(addrs[0])
		if err == nil && i > 0 {
			err = c.ClusterMeet(t.Context(), host, port).Err()
		}
		if err == nil {
			err = c.ClusterAddSlotsRange(t.Context(), i*16384/3, (i+1)*16384/3-1).Err()
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, addr := range addrs {
		for !strings.Contains(client(t, addr).ClusterInfo(t.Context()).Val(), "cluster_state:ok") {
			time.Sleep(20 * time.Millisecond)
		}
	}
	s, err := attuneredis.Open(t.Context(), attuneredis.Options{Addrs: addrs[:2], ID: "test"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}()
	want := map[event.Visitor]string{}
	for i := range 64 {
		v := event.User(fmt.Sprint("user", i))
		found, err := s.GetFeatures(t.Context(), i, []event.Visitor{v})
		if err != nil {
			t.Fatal(err)
		}
		done, err := s.SwapFeatures(t.Context(), i, []store.Change{{Visitor: v, Old: found[0], New: []byte(v)}})
		if err != nil || !done[0] {
			t.Fatal(done, err)
		}
		want[v] = string(v)
	}
	got := map[event.Visitor]string{}
	if err := s.ScanFeatures(t.Context(), func(v event.Visitor, value []byte) error { got[v] = string(value); return nil }); err != nil {
		t.Fatal(err)
	}
	if len(got) != len(want) {
		t.Errorf("%d visitors of %d", len(got), len(want))
	}
}

// TestSentinel kills the master that a Sentinel, which asks for a password, watches: the
// store goes on with the replica, in which it takes no value for the newest.
func TestSentinel(t *testing.T) {
	dir := t.TempDir()
	master := testservers.StartRedis(t, dir, "--save", "", "--dbfilename", "master.rdb")
	host, port, err := net.SplitHostPort(master.Addr)
	if err != nil {
		t.Fatal(err)
	}
	replica := testservers.StartRedis(t, dir, "--save", "", "--dbfilename", "replica.rdb", "--replicaof", host+" "+port, "--repl-diskless-sync-delay", "0")
	conf := filepath.Join(dir, "sentinel.conf")
	watch := "requirepass secret\n" +
		"sentinel monitor shop " + host + " " + port + " 1\n" +
		"sentinel down-after-milliseconds shop 500\nsentinel failover-timeout shop 5000\n"
	if err := os.WriteFile(conf, []byte(watch), 0o600); err != nil {
		t.Fatal(err)
	}
	sentinel := testservers.StartRedis(t, dir, conf, "--sentinel")
	options := attuneredis.Options{Addrs: []string{sentinel.Addr}, MasterName: "shop", SentinelPassword: "secret"}
	v := open(t, options)
	v.swap(v.get(), "a")
	v.wants("a")
	for !strings.Contains(client(t, replica.Addr).Info(t.Context(), "replication").Val(), "master_link_status:up") {
		time.Sleep(20 * time.Millisecond)
	}
	sentinels := redis.NewSentinelClient(&redis.Options{Addr: sentinel.Addr, Password: "secret"})
	t.Cleanup(func() { _ = sentinels.Close() }) // nothing waits in it
	for found := 0; found == 0; time.Sleep(100 * time.Millisecond) {
		replicas, err := sentinels.Replicas(t.Context(), "shop").Result()
		if err != nil {
			t.Fatal(err)
		}
		found = len(replicas)
	}

	master.Kill()
	v.wants("")
	if !v.swap(v.get(), "b") {
		t.Error("a value that is absent was not stored")
	}
	v.wants("b")

	options.SentinelPassword = "wrong"
	options.ID = "test"
	if _, err := attuneredis.Open(t.Context(), options); err == nil {
		t.Error("opened with a wrong password")
	}
}

// TestGoneAndBack stops Redis: calls fail soon, with a clear error, and go on when it is back.
func TestGoneAndBack(t *testing.T) {
	server := testservers.StartRedis(t, t.TempDir(), "--save", "")
	v := open(t, attuneredis.Options{Addrs: []string{server.Addr}})
	v.get()
	server.Kill()
	for range 20 {
		_, err := v.GetFeatures(context.Background(), shard, []event.Visitor{ann})
		if !errors.Is(err, event.ErrUnavailable) {
			t.Fatalf("error is %v", err)
		}
	}
	server.Start()
	v.swap(v.get(), "a")
	v.wants("a")
}
