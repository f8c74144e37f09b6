package main

import (
	"context"
	"fmt"
	"io"
	"time"

	attunev1 "github.com/attune-shop/attune/gen/attune/v1"
)

type segmentLearnLookalikesCmd struct {
	ID string `arg:"" help:"The segment whose members others are to be like."`
	remote
}

// Run has the server learn, for as long as that takes, and prints what it is worth.
func (c *segmentLearnLookalikesCmd) Run(ctx context.Context, out io.Writer) error {
	return c.talk(ctx, func(ctx context.Context, s *shopServer) error {
		learned, err := s.segments.LearnLookalikes(ctx, &attunev1.LearnLookalikesRequest{SegmentId: c.ID})
		if err != nil {
			return err
		}
		return c.showLookalikes(out, learned)
	})
}

type segmentLookalikesModelCmd struct {
	ID string `arg:"" help:"The segment whose members others are to be like."`
	remote
}

// Run prints what the model in service is worth.
func (c *segmentLookalikesModelCmd) Run(ctx context.Context, out io.Writer) error {
	return c.ask(ctx, func(ctx context.Context, s *shopServer) error {
		learned, err := s.segments.GetLookalikesModel(ctx, &attunev1.GetLookalikesModelRequest{SegmentId: c.ID})
		if err != nil {
			return err
		}
		return c.showLookalikes(out, learned)
	})
}

// showLookalikes prints a model of lookalikes.
func (r *remote) showLookalikes(out io.Writer, m *attunev1.LookalikesModel) error {
	if r.Output == "json" {
		return printJSON(out, m)
	}
	p := &printer{to: out}
	p.line("version %d of %s, learned %s from %s members and %s others", m.GetVersion(), plain(m.GetSegmentId()),
		m.GetLearnedAt().AsTime().Format(time.RFC3339), thousands(m.GetMembers()), thousands(m.GetOthers()))
	p.line("One half finds the other: %s members among %s others.", thousands(m.GetHeldOutMembers()), thousands(m.GetHeldOutOthers()))
	p.line("")
	row := func(model string, e *attunev1.Estimate) string {
		return fmt.Sprintf("%s\t%.4f [%.4f, %.4f]", model, e.GetValue(), e.GetLow(), e.GetHigh())
	}
	p.table("", []string{"model\tAUC", row("attune", m.GetAuc()), row("activity: number of events", m.GetActivityAuc())})
	p.line("")
	better := m.GetBetter()
	p.line("attune less activity: AUC %+.4f, with a confidence of 95 %% from %+.4f to %+.4f.", better.GetValue(), better.GetLow(), better.GetHigh())
	p.line("")
	rows := []string{"item\tweight\tof members\tof others"}
	for _, x := range m.GetItems() {
		rows = append(rows, fmt.Sprintf("%s\t%+.2f\t%.1f %%\t%.1f %%", plain(x.GetItemId()), x.GetWeight(), 100*x.GetOfMembers(), 100*x.GetOfOthers()))
	}
	p.table("", rows)
	return p.err
}
