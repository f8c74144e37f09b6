package server

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/attune-shop/attune/store"
	"github.com/attune-shop/attune/store/embedded"
	"github.com/attune-shop/attune/store/redis"
	"github.com/attune-shop/attune/store/scylla"
)

// StoreConfig says where all state is: in a folder, or in Redis and ScyllaDB. Its fields are
// flags of every command that opens the stores.
type StoreConfig struct {
	// Data is the folder that holds all state; it is made where it is missing.
	Data string `help:"Folder that holds all state, where it is not in Redis and ScyllaDB." default:"attune-data" placeholder:"DIR"`
	// CacheMiB bounds the cache of blocks read from disk, in MiB; 0 is 128.
	CacheMiB int64 `name:"cache-mib" help:"Memory for blocks read from disk, in MiB." default:"128" placeholder:"MIB"`

	// Redis and ScyllaConfig name the servers that hold all state instead. RedisTTL is at
	// least a second; 0 is 30 days.
	Redis            []string      `help:"Redis for features: HOST:PORT of one, of nodes of a cluster, or of Sentinels with --redis-master." placeholder:"HOST:PORT"`
	RedisMaster      string        `help:"Name of the master that the Sentinels at --redis know." placeholder:"NAME"`
	RedisCluster     bool          `help:"Take a single address of --redis for that of a cluster."`
	RedisUser        string        `help:"ACL user of Redis." placeholder:"NAME"`
	RedisPassword    string        `help:"Password of Redis; better in ATTUNE_REDIS_PASSWORD." placeholder:"TEXT"`
	SentinelUser     string        `name:"redis-sentinel-user" help:"ACL user of the Sentinels." placeholder:"NAME"`
	SentinelPassword string        `name:"redis-sentinel-password" help:"Password of the Sentinels; better in ATTUNE_REDIS_SENTINEL_PASSWORD." placeholder:"TEXT"`
	RedisTLS         bool          `name:"redis-tls" help:"Speak TLS with Redis and its Sentinels."`
	RedisTTL         time.Duration `name:"redis-ttl" help:"How long Redis keeps the features of a visitor without new events; they are made again from the history." default:"720h" placeholder:"TIME"`
	ScyllaConfig     `embed:""`
}

// ScyllaConfig says which keyspace of which ScyllaDB holds everything but features.
type ScyllaConfig struct {
	Scylla            []string `help:"ScyllaDB for the history, the catalog and models: HOST or HOST:PORT of some nodes." placeholder:"HOST:PORT"`
	Keyspace          string   `help:"Keyspace in ScyllaDB, made by attune migrate." default:"attune" placeholder:"NAME"`
	ScyllaDC          string   `name:"scylla-dc" help:"Datacenter of ScyllaDB whose nodes are asked." placeholder:"NAME"`
	ScyllaConsistency string   `help:"Consistency of reads and writes in ScyllaDB: LOCAL_QUORUM, QUORUM or ALL." default:"LOCAL_QUORUM" placeholder:"LEVEL"`
	ScyllaUser        string   `help:"User of ScyllaDB." placeholder:"NAME"`
	ScyllaPassword    string   `help:"Password of ScyllaDB; better in ATTUNE_SCYLLA_PASSWORD." placeholder:"TEXT"`
	ScyllaTLS         bool     `name:"scylla-tls" help:"Speak TLS with ScyllaDB."`
	ScyllaInFlight    int64    `help:"Requests of this server that are under way in ScyllaDB at once." default:"256" placeholder:"N"`
	StoresCA          string   `name:"stores-ca" help:"File of certificates that sign those of Redis and ScyllaDB; the system's else." placeholder:"FILE"`
}

// Distributed tells whether the state is in Redis and ScyllaDB.
func (c *StoreConfig) Distributed() bool { return len(c.Redis) > 0 || len(c.Scylla) > 0 }

func (c *StoreConfig) check() error {
	switch {
	case c.Distributed() && (len(c.Redis) == 0 || len(c.Scylla) == 0):
		return errors.New("--redis and --scylla must be given together")
	case c.Distributed() && c.RedisTTL != 0 && c.RedisTTL < time.Second:
		return fmt.Errorf("--redis-ttl must be at least 1s, is %v", c.RedisTTL)
	case c.Distributed() && c.StoresCA != "" && !c.RedisTLS && !c.ScyllaTLS:
		return errors.New("--stores-ca needs --redis-tls or --scylla-tls, else nothing is encrypted")
	case !c.Distributed() && c.Data == "":
		return errors.New("--data must not be empty")
	case c.CacheMiB < 0:
		return fmt.Errorf("--cache-mib must not be negative, is %d", c.CacheMiB)
	case c.Distributed():
		return c.ScyllaConfig.check()
	}
	return nil
}

// check names the first setting that cannot be, of those that migrate has, too.
func (c *ScyllaConfig) check() error {
	switch {
	case len(c.Scylla) == 0:
		return errors.New("--scylla must name a node")
	case c.ScyllaConsistency != "" && !slices.Contains(consistencies, strings.ToUpper(c.ScyllaConsistency)):
		return fmt.Errorf("--scylla-consistency must be one of %s, is %q: with others a read may miss what was acknowledged", strings.Join(consistencies, ", "), c.ScyllaConsistency)
	case c.ScyllaUser == "" && c.ScyllaPassword != "":
		return errors.New("--scylla-password needs --scylla-user")
	case c.ScyllaUser != "" && c.ScyllaPassword == "":
		return errors.New("--scylla-user needs --scylla-password")
	case c.ScyllaInFlight < 0:
		return fmt.Errorf("--scylla-in-flight must not be negative, is %d", c.ScyllaInFlight)
	}
	if err := scylla.CheckKeyspace(c.Keyspace); err != nil {
		return fmt.Errorf("--%w", err)
	}
	return nil
}

// consistencies are those with which a read sees what every write left that has returned: both
// ask more than half of the copies.
var consistencies = []string{"LOCAL_QUORUM", "QUORUM", "ALL"}

// open opens the stores. It makes a missing folder, but no keyspace.
func (c *StoreConfig) open(ctx context.Context, logger *slog.Logger) (store.Stores, error) {
	if !c.Distributed() {
		return embedded.Open(c.Data, embedded.Options{CacheBytes: c.CacheMiB << 20, Logger: logger})
	}
	options, err := c.options(logger)
	if err != nil {
		return nil, err
	}
	durable, err := scylla.Open(ctx, options)
	if err != nil {
		return nil, err
	}
	tls, err := encryption(c.RedisTLS, c.StoresCA)
	if err != nil {
		return nil, errors.Join(err, durable.Close())
	}
	features, err := redis.Open(ctx, redis.Options{
		Addrs: c.Redis, MasterName: c.RedisMaster, Cluster: c.RedisCluster, Username: c.RedisUser, Password: c.RedisPassword,
		SentinelUsername: c.SentinelUser, SentinelPassword: c.SentinelPassword,
		TLS: tls, ID: durable.ID(), TTL: c.RedisTTL, Logger: logger,
	})
	if err != nil {
		return nil, errors.Join(err, durable.Close())
	}
	return store.Join(durable, features), nil
}

func (c *ScyllaConfig) options(logger *slog.Logger) (scylla.Options, error) {
	tls, err := encryption(c.ScyllaTLS, c.StoresCA)
	return scylla.Options{
		Hosts: c.Scylla, Keyspace: c.Keyspace, Datacenter: c.ScyllaDC, Consistency: c.ScyllaConsistency,
		Username: c.ScyllaUser, Password: c.ScyllaPassword, TLS: tls, InFlight: c.ScyllaInFlight, Logger: logger,
	}, err
}

// encryption returns how to speak TLS, nil where it is not wanted. ca is a file of the
// certificates to trust, the system's where it is empty.
func encryption(wanted bool, ca string) (*tls.Config, error) {
	if !wanted {
		return nil, nil
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if ca != "" {
		pem, err := os.ReadFile(ca)
		if err != nil {
			return nil, fmt.Errorf("--stores-ca: %w", err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("--stores-ca: %s holds no certificate in PEM form", ca)
		}
	}
	return config, nil
}
