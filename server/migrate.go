package server

import (
	"context"
	"errors"
	"io"
	"log/slog"

	"github.com/attune-shop/attune/store/scylla"
)

// MigrateConfig says which keyspace is made or brought to this version, and how.
type MigrateConfig struct {
	ScyllaConfig `embed:""`
	Replication  int  `help:"Copies in each datacenter, of a keyspace that is made now." default:"3" placeholder:"N"`
	Shards       int  `help:"Shards of the log of a keyspace that is made now; their number is for good." default:"16" placeholder:"N"`
	DryRun       bool `help:"Print the CQL that would run, and run none."`
}

// Migrate makes a keyspace or brings it to this version, and says on out what it does.
func Migrate(ctx context.Context, cfg MigrateConfig, logger *slog.Logger, out io.Writer) error {
	if err := cfg.check(); err != nil {
		return err
	}
	if cfg.StoresCA != "" && !cfg.ScyllaTLS {
		return errors.New("--stores-ca needs --scylla-tls, else nothing is encrypted")
	}
	options, err := cfg.options(logger)
	if err != nil {
		return err
	}
	return scylla.Migrate(ctx, options, scylla.MigrateOptions{Replication: cfg.Replication, Shards: cfg.Shards, DryRun: cfg.DryRun}, out)
}
