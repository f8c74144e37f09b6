// Package scylla keeps everything but features in ScyllaDB, for any number of processes at
// once. What it asks of the server is CQL that ScyllaDB documents; Apache Cassandra speaks
// it, too.
//
// Three ways of writing carry the contract:
//
//   - What must be decided is decided by a lightweight transaction on one row: the next row of
//     the log (log.go), the registers (registers.go), leases.
//   - What only grows is written with its number as the write's timestamp, so that the
//     greatest wins in any order: marks, items, the owner of an anonymous visitor, who is in
//     which segment.
//   - Everything else is written once and never changed: events, dead letters, payloads, timers.
//
// So every write may be repeated, and is, after a time-out.
package scylla

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gocql/gocql"
	"golang.org/x/sync/semaphore"

	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/store"
	"github.com/attune-shop/attune/store/breaker"
)

// Options say where the servers are and how to speak to them.
type Options struct {
	// Hosts are HOST or HOST:PORT of some nodes; the others are found. All nodes share a port.
	Hosts    []string
	Keyspace string
	// Datacenter, where it is set, is the one whose nodes are asked.
	Datacenter string
	// Consistency of reads and writes: LOCAL_QUORUM, which is the default, QUORUM or ALL. With
	// fewer copies a read may miss what was acknowledged.
	Consistency        string
	Username, Password string
	// TLS is nil for connections in the clear.
	TLS *tls.Config
	// InFlight bounds the requests under way at once. Default 256.
	InFlight int64
	// Timeout bounds one try of a request. Default 2 s.
	Timeout time.Duration
	// Patience bounds all tries of a request together. Default 8 s.
	Patience time.Duration
	// Logger receives what an operator should know. Default: slog's.
	Logger *slog.Logger
}

func (o Options) withDefaults() Options {
	if o.Consistency == "" {
		o.Consistency = "LOCAL_QUORUM"
	}
	if o.InFlight == 0 {
		o.InFlight = 256
	}
	if o.Timeout == 0 {
		o.Timeout = 2 * time.Second
	}
	if o.Patience == 0 {
		o.Patience = 8 * time.Second
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	return o
}

// defaultPort is that of CQL servers.
const defaultPort = 9042

// Store is a keyspace. It implements store.Durable.
type Store struct {
	session *gocql.Session
	options Options
	breaker *breaker.Breaker
	// inFlight holds a token for each request that may be under way.
	inFlight *semaphore.Weighted
	format   format
	// known is the greatest number that is known of each stream of the log.
	known []atomic.Uint64
	// marks are the greatest that were seen of each stream.
	marks   []atomic.Uint64
	links   *knownLinks
	letters sync.Mutex // lets one allocation of numbers through at a time
}

var _ store.Durable = (*Store)(nil)

// Open connects to a keyspace that Migrate has made. Errors: event.InvalidError where there
// can be none of that name, event.ErrNewerVersion where a newer Attune migrated it, event.ErrUnavailable where no node answers.
func Open(ctx context.Context, options Options) (*Store, error) {
	options = options.withDefaults()
	if err := CheckKeyspace(options.Keyspace); err != nil {
		return nil, err
	}
	session, err := connect(options, options.Keyspace)
	if err != nil {
		return nil, errors.Join(missing(ctx, options), err)
	}
	s := newStore(session, options)
	if s.format, err = s.readFormat(ctx); err != nil {
		session.Close()
		return nil, fmt.Errorf("keyspace %s: %w", options.Keyspace, err)
	}
	s.known = make([]atomic.Uint64, streams(s.format.Shards))
	s.marks = make([]atomic.Uint64, streams(s.format.Shards))
	return s, nil
}

// missing says that the keyspace is not there, where that is why there is no session in it.
func missing(ctx context.Context, options Options) error {
	server, err := connect(options, "")
	if err != nil {
		return nil //nolint:nilerr // the caller has this error already
	}
	defer server.Close()
	if exists, err := keyspaceExists(ctx, server, options.Keyspace); err != nil || exists {
		return err
	}
	return fmt.Errorf("there is no keyspace %s: run attune migrate", options.Keyspace)
}

func newStore(session *gocql.Session, options Options) *Store {
	return &Store{
		session: session, options: options, breaker: breaker.New("scylla", options.Patience, options.Logger),
		inFlight: semaphore.NewWeighted(options.InFlight), links: newKnownLinks(),
	}
}

// connect opens a session, in a keyspace where one is named.
func connect(options Options, keyspace string) (*gocql.Session, error) {
	hosts, port, err := addresses(options.Hosts)
	if err != nil {
		return nil, err
	}
	consistency, err := gocql.ParseConsistencyWrapper(options.Consistency)
	if err != nil {
		return nil, event.Invalid("scylla-consistency", "is not one: %q", options.Consistency)
	}
	cluster := gocql.NewCluster(hosts...)
	cluster.Port = port
	cluster.Keyspace = keyspace
	cluster.Consistency = consistency
	cluster.SerialConsistency = gocql.LocalSerial
	cluster.Timeout, cluster.ReadTimeout, cluster.WriteTimeout = options.Timeout, options.Timeout, options.Timeout
	cluster.ConnectTimeout = 5 * time.Second
	cluster.ReconnectInterval = time.Second
	cluster.DefaultIdempotence = true
	cluster.RetryPolicy = retries{&gocql.ExponentialBackoffRetryPolicy{NumRetries: tries - 1, Min: 50 * time.Millisecond, Max: time.Second}}
	nodes := gocql.RoundRobinHostPolicy()
	if options.Datacenter != "" {
		nodes = gocql.DCAwareRoundRobinPolicy(options.Datacenter)
	}
	cluster.PoolConfig.HostSelectionPolicy = rounds{gocql.TokenAwareHostPolicy(nodes)}
	cluster.Logger = driverLog{options.Logger}
	if options.Username != "" {
		cluster.Authenticator = gocql.PasswordAuthenticator{Username: options.Username, Password: options.Password}
	}
	if options.TLS != nil {
		cluster.SslOpts = &gocql.SslOptions{Config: options.TLS, EnableHostVerification: !options.TLS.InsecureSkipVerify}
	}
	session, err := cluster.CreateSession()
	if err != nil {
		return nil, fmt.Errorf("scylla at %s: %w", strings.Join(options.Hosts, ","), translate(err))
	}
	return session, nil
}

// addresses parts hosts from their port, which must be the same one.
func addresses(given []string) (hosts []string, port int, err error) {
	for _, address := range given {
		host, digits, err := net.SplitHostPort(address)
		p := defaultPort
		if err != nil {
			host = strings.Trim(address, "[]")
		} else if p, err = strconv.Atoi(digits); err != nil {
			return nil, 0, event.Invalid("scylla", "must be HOST or HOST:PORT, is %q", address)
		}
		if port != 0 && p != port {
			return nil, 0, event.Invalid("scylla", "must name one port for all nodes, names %d and %d", port, p)
		}
		port = p
		hosts = append(hosts, host)
	}
	if len(hosts) == 0 {
		return nil, 0, event.Invalid("scylla", "must name a host")
	}
	return hosts, port, nil
}

// driverLog takes what the driver says of connections that come and go.
type driverLog struct{ logger *slog.Logger }

func (d driverLog) Print(v ...any)                 { d.logger.Debug(fmt.Sprint(v...)) }
func (d driverLog) Printf(format string, v ...any) { d.logger.Debug(fmt.Sprintf(format, v...)) }
func (d driverLog) Println(v ...any)               { d.logger.Debug(fmt.Sprint(v...)) }

// Shared implements store.Sharing.
func (s *Store) Shared() bool { return true }

// ID tells the keyspace from any other, and from another of its name.
func (s *Store) ID() string { return s.format.ID }

// Close implements store.Durable.
func (s *Store) Close() error {
	s.session.Close()
	return nil
}

// codeOf returns the code that a server answered with, -1 where none did. The driver gives most
// of its answers a type that it does not export, but a method that tells.
func codeOf(err error) int {
	var answer interface{ GetCode() int }
	if !errors.As(err, &answer) {
		return -1
	}
	return answer.GetCode()
}

// mistaken tells whether a server refused a statement for what it says or who says it, so
// that no server will take it, and it tells nothing of the servers.
func mistaken(err error) bool {
	switch codeOf(err) {
	case gocql.ErrCodeSyntax, gocql.ErrCodeInvalid, gocql.ErrCodeUnauthorized, gocql.ErrCodeConfig, gocql.ErrCodeCredentials:
		return true
	}
	return false
}

// translate wraps the sentinel that an error of the driver comes down to. What is wrong
// with a statement or its rights is none of them.
func translate(err error) error {
	var limited *gocql.RequestErrRateLimitReached
	switch {
	case err == nil, errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	case errors.Is(err, gocql.ErrNotFound):
		return event.ErrNotFound
	case errors.As(err, &limited), codeOf(err) == gocql.ErrCodeOverloaded:
		return fmt.Errorf("scylla: %w: %w", event.ErrExhausted, err)
	case mistaken(err):
		return fmt.Errorf("scylla: %w", err)
	}
	return fmt.Errorf("scylla: %w: %w", event.ErrUnavailable, err)
}
