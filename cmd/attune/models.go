package main

import (
	"context"
	"fmt"
	"io"
	"time"

	attunev1 "github.com/attune-shop/attune/gen/attune/v1"
)

type modelsCmd struct {
	List     modelsListCmd     `cmd:"" help:"List the versions that are kept, newest first."`
	Get      modelsGetCmd      `cmd:"" help:"Show one version and what it reached."`
	Activate modelsActivateCmd `cmd:"" help:"Put a version in service, an older one or one that was held back."`
}

type modelsListCmd struct {
	page
	remote
}

// Run prints a page of the versions.
func (c *modelsListCmd) Run(ctx context.Context, out io.Writer) error {
	return c.ask(ctx, func(ctx context.Context, s *shopServer) error {
		response, err := s.models.ListModels(ctx, &attunev1.ListModelsRequest{PageSize: c.PageSize, PageToken: c.PageToken})
		if err != nil {
			return err
		}
		var rows []string
		for _, m := range response.GetModels() {
			rows = append(rows, fmt.Sprintf("%s\t%s\t%s\t%s", plain(m.GetVersion()), m.GetCreatedAt().AsTime().Format(time.RFC3339), reachedBy(m), inService(m)))
		}
		return printPage(out, c.Output, response, rows)
	})
}

// reachedBy is what a version is compared by; empty where it has no such figure.
func reachedBy(m *attunev1.Model) string {
	for _, e := range m.GetEvaluations() {
		if x, ok := e.GetMetrics()[m.GetMetric()]; ok && e.GetAlgorithm() == m.GetAlgorithm() {
			return fmt.Sprintf("%s %.4f ± %.4f", plain(m.GetMetric()), x, e.GetStandardErrors()[m.GetMetric()])
		}
	}
	return ""
}

func inService(m *attunev1.Model) string {
	if m.GetActive() {
		return "in service"
	}
	return ""
}

type modelsGetCmd struct {
	Version string `arg:"" optional:"" help:"The version; that in service where it is left out." default:"active"`
	remote
}

// Run prints one version.
func (c *modelsGetCmd) Run(ctx context.Context, out io.Writer) error {
	return c.ask(ctx, func(ctx context.Context, s *shopServer) error {
		m, err := s.models.GetModel(ctx, &attunev1.GetModelRequest{Version: c.Version})
		if err != nil {
			return err
		}
		return c.show(out, m)
	})
}

type modelsActivateCmd struct {
	Version string `arg:"" help:"The version."`
	remote
}

// Run puts a version in service and prints it.
func (c *modelsActivateCmd) Run(ctx context.Context, out io.Writer) error {
	return c.ask(ctx, func(ctx context.Context, s *shopServer) error {
		m, err := s.models.ActivateModel(ctx, &attunev1.ActivateModelRequest{Version: c.Version})
		if err != nil {
			return err
		}
		return c.show(out, m)
	})
}

// show prints a version as train does.
func (r *remote) show(out io.Writer, m *attunev1.Model) error {
	if r.Output == "json" {
		return printJSON(out, m)
	}
	p := &printer{to: out}
	printModel(p, m)
	return p.err
}
