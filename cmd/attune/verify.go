package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"

	"github.com/attune-shop/attune/server"
)

type verifyCmd struct {
	server.StoreConfig `embed:""`
	Output             string `help:"Form of the output: ${enum}." enum:"text,json" default:"text"`
}

// Run prints what was compared; a difference is an error.
func (c *verifyCmd) Run(ctx context.Context, out io.Writer) error {
	report, err := server.Verify(ctx, c.StoreConfig)
	if err != nil {
		return err
	}
	if c.Output == "json" {
		err = json.NewEncoder(out).Encode(map[string]int64{
			"users": report.Users, "events": report.Events, "differences": report.Differences,
		})
	} else {
		_, err = fmt.Fprintf(out, "users        %d\nevents       %d\ndifferences  %d\n", report.Users, report.Events, report.Differences)
		for _, example := range report.Examples {
			_, _ = fmt.Fprintf(out, "  %s\n", example) // after an error of the same writer at the worst
		}
	}
	if err == nil && report.Differences > 0 {
		err = fmt.Errorf("%d visitors differ from their history", report.Differences)
	}
	return err
}
