// Package redis keeps visitors' features in Redis, as a cache of what the history says:
// one Redis, one behind Sentinel, or a Redis Cluster.
//
// Redis loses values: they expire, are evicted or flushed, and a restart or a failover
// may bring older ones back. The older ones must never be taken for what is. So each
// shard has a generation, which is bound to the replication id of the server that holds
// it; that id changes with every restart and failover. Values carry the generation that
// they were written in, and those of another one count as missing. See scripts.go. A server
// that is no longer the master, but still reached, keeps its generation: which one counts is
// decided above, by the epochs of store.Features.
package redis

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/store"
	"github.com/attune-shop/attune/store/breaker"
)

const (
	// tryTimeout bounds one try of a call, patience all of its tries together.
	tryTimeout = time.Second
	patience   = 3 * time.Second
)

// Options of a Store.
type Options struct {
	// Addrs are HOST:PORT of one Redis, of the Sentinels where MasterName is set, or of
	// some nodes of a cluster.
	Addrs []string
	// MasterName is the name under which Sentinels know the master.
	MasterName string
	// Cluster says that a single address is that of a cluster's node; several always are.
	Cluster bool
	// Username and Password are those of an ACL user; SentinelUsername and
	// SentinelPassword those of the Sentinels.
	Username, Password                 string
	SentinelUsername, SentinelPassword string
	// TLS is nil for connections in the clear.
	TLS *tls.Config
	// ID tells the store that the features are of from others in the same Redis.
	ID string
	// TTL is how long the features of a visitor without new events are kept. Default 30 days.
	TTL time.Duration
	// Logger receives what an operator should know. Default: slog's.
	Logger *slog.Logger
}

// Store is features in Redis. It implements store.Features.
type Store struct {
	client  redis.UniversalClient
	breaker *breaker.Breaker
	prefix  string // of keys, up to the shard
	ttl     time.Duration
}

var _ store.Features = (*Store)(nil)

// Open connects and checks that the server is one that can be used: Redis 7, or what speaks
// its protocol, which does not evict keys that have no time to live.
func Open(ctx context.Context, options Options) (*Store, error) {
	if options.TTL == 0 {
		options.TTL = 30 * 24 * time.Hour
	}
	if options.Logger == nil {
		options.Logger = slog.Default()
	}
	redis.SetLogger(quiet{})
	s := &Store{
		client: redis.NewUniversalClient(&redis.UniversalOptions{
			Addrs: options.Addrs, MasterName: options.MasterName, IsClusterMode: options.Cluster,
			Username: options.Username, Password: options.Password,
			SentinelUsername: options.SentinelUsername, SentinelPassword: options.SentinelPassword,
			TLSConfig: options.TLS, ClientName: "attune", ContextTimeoutEnabled: true,
			DialTimeout: tryTimeout, DialerRetries: 1, ReadTimeout: tryTimeout, WriteTimeout: tryTimeout,
		}),
		breaker: breaker.New("redis", patience, options.Logger),
		prefix:  "attune:{" + options.ID + ":",
		ttl:     options.TTL,
	}
	if err := s.eachMaster(ctx, checkServer); err != nil {
		return nil, errors.Join(fmt.Errorf("redis at %s: %w", strings.Join(options.Addrs, ","), err), s.Close())
	}
	return s, nil
}

// quiet drops what the driver logs of each connection that fails: the errors of the calls and
// the breaker say it.
type quiet struct{}

func (quiet) Printf(context.Context, string, ...any) {}

// Close implements io.Closer.
func (s *Store) Close() error { return s.client.Close() }

// eachMaster calls fn for the one master, or for each of a cluster, one after the other.
func (s *Store) eachMaster(ctx context.Context, fn func(context.Context, redis.Cmdable) error) error {
	cluster, ok := s.client.(*redis.ClusterClient)
	if !ok {
		return fn(ctx, s.client)
	}
	one := make(chan struct{}, 1)
	return cluster.ForEachMaster(ctx, func(ctx context.Context, node *redis.Client) error {
		one <- struct{}{}
		defer func() { <-one }()
		return fn(ctx, node)
	})
}

// checkServer refuses a server that cannot keep the promises.
func checkServer(ctx context.Context, server redis.Cmdable) error {
	info := map[string]string{}
	for _, section := range []string{"server", "memory", "replication"} {
		text, err := server.Info(ctx, section).Result()
		if err != nil {
			return translate(err)
		}
		for line := range strings.Lines(text) {
			if key, value, found := strings.Cut(strings.TrimSpace(line), ":"); found {
				info[key] = value
			}
		}
	}
	major, _, _ := strings.Cut(info["redis_version"], ".")
	if version, err := strconv.Atoi(major); err != nil || version < 7 {
		return fmt.Errorf("is version %q; 7 or newer is needed", info["redis_version"])
	}
	if len(info["master_replid"]) != replIDLen {
		return errors.New("has no master_replid in INFO replication, by which restarts and failovers are told")
	}
	if policy := info["maxmemory_policy"]; strings.HasPrefix(policy, "allkeys") {
		return fmt.Errorf("has maxmemory-policy %s; set noeviction or volatile-lru, so that only what has a time to live is evicted", policy)
	}
	return nil
}

// translate wraps the sentinel that an error of the driver comes down to.
func translate(err error) error {
	switch {
	case err == nil, errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	case redis.HasErrorPrefix(err, "OOM"):
		return fmt.Errorf("redis: %w: %w", event.ErrExhausted, err)
	case redis.HasErrorPrefix(err, "WRONGTYPE"):
		return fmt.Errorf("redis: %w: %w", event.ErrCorrupt, err)
	default:
		return fmt.Errorf("redis: %w: %w", event.ErrUnavailable, err)
	}
}
