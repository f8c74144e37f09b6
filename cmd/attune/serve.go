package main

import (
	"context"
	"io"
	"os"
	"runtime/debug"

	"google.golang.org/grpc/grpclog"

	"github.com/attune-shop/attune/server"
)

type serveCmd struct {
	server.Config
}

// Run serves until ctx ends.
func (c *serveCmd) Run(ctx context.Context, out io.Writer) error {
	// What gRPC and the gateway would write by themselves is what clients did wrong.
	grpclog.SetLoggerV2(grpclog.NewLoggerV2(io.Discard, io.Discard, io.Discard))
	collectLess()
	return server.Run(ctx, c.Config, out)
}

// collectLess lets the heap grow to three times what is live before it is collected,
// where Go's default is twice: most of what a write allocates dies with it. GOGC, where
// it is set, wins.
func collectLess() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(200)
	}
}
