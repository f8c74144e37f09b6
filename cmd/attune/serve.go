package main

import (
	"context"
	"io"

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
	return server.Run(ctx, c.Config, out)
}
