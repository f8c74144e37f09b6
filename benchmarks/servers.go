package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/gocql/gocql"
)

// servers are those that Attune keeps its state in.
type servers struct {
	Redis  string   `help:"HOST:PORT of a Redis." env:"ATTUNE_TEST_REDIS" required:""`
	Scylla []string `help:"HOST:PORT of nodes of a CQL server." env:"ATTUNE_TEST_CQL" required:""`
}

// serve starts Attune on a new keyspace.
func (s *servers) serve(ctx context.Context, attune binary) (server *process, keyspace string, err error) {
	keyspace = fmt.Sprintf("bench_%x", time.Now().UnixNano())
	scylla := strings.Join(s.Scylla, ",")
	migrate := exec.CommandContext(ctx, string(attune), "migrate", "--scylla", scylla, "--keyspace", keyspace, "--replication", "1")
	migrate.Stderr = os.Stderr
	if err := migrate.Run(); err != nil {
		return nil, "", fmt.Errorf("migrate: %w", err)
	}
	server, err = attune.serve(ctx, "--redis", s.Redis, "--scylla", scylla, "--keyspace", keyspace)
	return server, keyspace, err
}

// session connects to a keyspace, past Attune.
func (s *servers) session(keyspace string) (*gocql.Session, error) {
	cluster := gocql.NewCluster(s.Scylla...)
	cluster.Keyspace, cluster.Consistency, cluster.Timeout = keyspace, gocql.LocalQuorum, 10*time.Second
	cluster.PoolConfig.HostSelectionPolicy = gocql.TokenAwareHostPolicy(gocql.RoundRobinHostPolicy())
	return cluster.CreateSession()
}
