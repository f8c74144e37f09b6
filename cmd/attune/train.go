package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"google.golang.org/grpc"

	attunev1 "github.com/attune-shop/attune/gen/attune/v1"
)

type trainCmd struct {
	client
	Algorithm  string `help:"What to train: ${enum}." enum:"auto,ease,als,item_knn,popularity" default:"auto"`
	Seed       int64  `help:"Same history, same seed, same model." default:"1"`
	KeepActive bool   `help:"Leave the model in service as it is."`
}

// Run trains and shows phases, metrics and the choice.
func (c *trainCmd) Run(ctx context.Context, out io.Writer) error {
	conn, err := c.dial()
	if err != nil {
		return err
	}
	defer conn.Close()
	request := &attunev1.TrainRequest{Algorithm: c.Algorithm, Seed: c.Seed, KeepActive: c.KeepActive}
	if c.Output == "json" {
		return plain(eachTraining(ctx, conn, request, func(r *attunev1.TrainResponse) error { return writeJSON(out, r) }))
	}
	return plain(showTraining(ctx, conn, request, out))
}

func eachTraining(ctx context.Context, conn *grpc.ClientConn, request *attunev1.TrainRequest, fn func(*attunev1.TrainResponse) error) error {
	stream, err := attunev1.NewModelServiceClient(conn).Train(ctx, request)
	for err == nil {
		var response *attunev1.TrainResponse
		if response, err = stream.Recv(); err == nil {
			err = fn(response)
		}
	}
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// showTraining trains and writes a line a phase and an evaluation.
func showTraining(ctx context.Context, conn *grpc.ClientConn, request *attunev1.TrainRequest, out io.Writer) error {
	phase := attunev1.TrainPhase_TRAIN_PHASE_UNSPECIFIED
	return eachTraining(ctx, conn, request, func(r *attunev1.TrainResponse) error {
		if r.GetPhase() != phase {
			phase = r.GetPhase()
			fmt.Fprintf(out, "  %s\n", strings.ReplaceAll(strings.ToLower(phase.String()), "_", " "))
		}
		if e := r.GetEvaluation(); e != nil {
			fmt.Fprintf(out, "    %-11s", e.GetAlgorithm())
			for _, name := range slices.Sorted(maps.Keys(e.GetMetrics())) {
				fmt.Fprintf(out, " %s %.4f", name, e.GetMetrics()[name])
			}
			fmt.Fprintf(out, "  (%d users, fitted in %.1f s)\n", e.GetUsers(), e.GetFitSeconds())
		}
		if m := r.GetModel(); m != nil {
			fmt.Fprintf(out, "  model %s: %d users, %d items, %d interactions; %s\n", m.GetVersion(), m.GetUsers(), m.GetItems(), m.GetInteractions(), m.GetChoice())
		}
		return nil
	})
}
