package main

import (
	"context"
	"io"
	"log/slog"
	"os"

	"github.com/attune-shop/attune/server"
)

type migrateCmd struct {
	server.MigrateConfig
}

// Run says what it did, or would do.
func (c *migrateCmd) Run(ctx context.Context, out io.Writer) error {
	return server.Migrate(ctx, c.MigrateConfig, slog.New(slog.NewTextHandler(os.Stderr, nil)), out)
}
