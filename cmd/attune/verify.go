package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"

	"github.com/attune-shop/attune/server"
)

type verifyCmd struct {
	server.VerifyConfig `embed:""`
	Output              string `help:"Form of the output: ${enum}." enum:"text,json" default:"text"`
}

// Run prints what was compared; a difference is an error.
func (c *verifyCmd) Run(ctx context.Context, out io.Writer) error {
	report, err := server.Verify(ctx, c.VerifyConfig)
	if err != nil {
		return err
	}
	past, segments := &report.History, &report.Segments
	examples := slices.Concat(past.Examples, segments.Examples)
	if c.Output == "json" {
		err = json.NewEncoder(out).Encode(map[string]any{
			"users": past.Users, "events": past.Events, "segments": segments.Segments, "skipped_segments": segments.Skipped,
			"members": segments.Members, "waiting": segments.Waiting, "differences": report.Differences(), "examples": examples,
		})
	} else {
		p := &printer{to: out}
		p.line("users        %d\nevents       %d\nsegments     %d\nmembers      %d", past.Users, past.Events, segments.Segments, segments.Members)
		p.line("waiting      %d\ndifferences  %d", segments.Waiting, report.Differences())
		for _, example := range examples {
			p.line("  %s", example)
		}
		for _, why := range segments.Skipped {
			p.line("not compared: segment %s", why)
		}
		err = p.err
	}
	if err == nil && report.Differences() > 0 {
		err = fmt.Errorf("%d differences: visitors from their history, or segments from their rules", report.Differences())
	}
	return err
}
