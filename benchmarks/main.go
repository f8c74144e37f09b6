// Benchmarks measures a running Attune from outside, as its clients do, and prints each
// figure beside a baseline from the same run: an empty unary gRPC call, and synced commits
// of the embedded store's engine without anything around it. The machine's speed drifts,
// so read the ratios.
//
//	go run ./benchmarks ingest      events per second, durable, by batch size
//	go run ./benchmarks recommend   latency and rate at 50,000 items and 200 recent events
//	go run ./benchmarks memory      resident memory and start-up at 1,000,000 users
//	go run ./benchmarks segments    ingest beside segments, backfill and export at 1,000,000 users
//	go run ./benchmarks distributed the first two on Redis and ScyllaDB
//	go run ./benchmarks fit         seconds of ALS and EASE beside implicit, numpy and LAPACK
//	go run ./benchmarks capacity    what a real shop takes in Redis and ScyllaDB
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"

	"github.com/alecthomas/kong"
)

func main() {
	var cli struct {
		Binary string `help:"The attune binary to measure." default:".build/attune" type:"path"`

		Ingest      ingestBench      `cmd:"" help:"Durable events per second through gRPC, by batch size."`
		Recommend   recommendBench   `cmd:"" help:"Latency and rate of Recommend."`
		Segments    segmentsBench    `cmd:"" help:"Ingest beside segments, backfill and export."`
		Distributed distributedBench `cmd:"" help:"Events per second and latency of Recommend on Redis and ScyllaDB."`
		Capacity    capacityBench    `cmd:"" help:"Bytes in Redis and ScyllaDB, an event and a visitor."`
		Fit         fitBench         `cmd:"" help:"Seconds of ALS and EASE, and the same of implicit, numpy and scipy."`
		Memory      memoryBench      `cmd:"" help:"Resident memory and start-up with many users."`
	}
	parsed := kong.Parse(&cli, kong.Name("benchmarks"), kong.UsageOnError())
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	parsed.BindTo(ctx, (*context.Context)(nil))
	parsed.Bind(binary(cli.Binary))
	if err := parsed.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "benchmarks:", err)
		os.Exit(1)
	}
}
