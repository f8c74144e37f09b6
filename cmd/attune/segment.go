package main

import (
	"context"
	"fmt"
	"io"

	attunev1 "github.com/attune-shop/attune/gen/attune/v1"
)

type segmentCmd struct {
	Create    segmentCreateCmd    `cmd:"" help:"Define a segment."`
	Update    segmentUpdateCmd    `cmd:"" help:"Change a segment."`
	Get       segmentGetCmd       `cmd:"" help:"Show a segment and its size."`
	List      segmentListCmd      `cmd:"" help:"List the segments."`
	Delete    segmentDeleteCmd    `cmd:"" help:"Delete a segment."`
	Preview   segmentPreviewCmd   `cmd:"" help:"Count the users of whom a rule is true, without saving it."`
	Templates segmentTemplatesCmd `cmd:"" help:"List the ready-made rules."`
	Members   segmentMembersCmd   `cmd:"" help:"List members, page by page."`
	Export    segmentExportCmd    `cmd:"" help:"Write all members, one a line."`
	Check     segmentCheckCmd     `cmd:"" help:"Tell which segments users are in, as of their last event."`
	Watch     segmentWatchCmd     `cmd:"" help:"Follow who enters and who leaves."`
	Scale     segmentScaleCmd     `cmd:"" help:"Show or set the scale that rfm goes by."`

	LearnBuyers segmentLearnBuyersCmd `cmd:"" help:"Learn from the history who will buy within seven days, and print what that is worth."`
	BuyersModel segmentBuyersModelCmd `cmd:"" help:"Print what the last learning of likely buyers was worth."`

	LearnLookalikes segmentLearnLookalikesCmd `cmd:"" help:"Learn who is like the members of a segment, and print what that is worth."`
	LookalikesModel segmentLookalikesModelCmd `cmd:"" help:"Print what the last learning of a segment's lookalikes was worth."`
}

type segmentCreateCmd struct {
	ID          string `arg:"" help:"Id of the new segment: letters, digits, '-', '_' and '.'."`
	Name        string `help:"Name for people." placeholder:"TEXT"`
	Description string `help:"What the segment is for." placeholder:"TEXT"`
	ruleFlags
	remote
}

// Run defines a segment and prints it.
func (c *segmentCreateCmd) Run(ctx context.Context, out io.Writer) error {
	template, err := c.template()
	if err != nil {
		return err
	}
	return c.ask(ctx, func(ctx context.Context, s *shopServer) error {
		made, err := s.segments.CreateSegment(ctx, &attunev1.CreateSegmentRequest{
			SegmentId: c.ID, DisplayName: c.Name, Description: c.Description, Rule: c.Rule, Template: template,
		})
		if err != nil {
			return err
		}
		return c.showSegment(out, made)
	})
}

type segmentUpdateCmd struct {
	ID          string  `arg:"" help:"The segment's id."`
	Name        *string `help:"Name for people." placeholder:"TEXT"`
	Description *string `help:"What the segment is for." placeholder:"TEXT"`
	ruleFlags
	remote
}

// Run changes a segment and prints it.
func (c *segmentUpdateCmd) Run(ctx context.Context, out io.Writer) error {
	template, err := c.template()
	if err != nil {
		return err
	}
	request := &attunev1.UpdateSegmentRequest{SegmentId: c.ID, DisplayName: c.Name, Description: c.Description, Template: template}
	if c.Rule != "" {
		request.Rule = &c.Rule
	}
	return c.ask(ctx, func(ctx context.Context, s *shopServer) error {
		changed, err := s.segments.UpdateSegment(ctx, request)
		if err != nil {
			return err
		}
		return c.showSegment(out, changed)
	})
}

type segmentGetCmd struct {
	ID string `arg:"" help:"The segment's id."`
	remote
}

// Run prints a segment.
func (c *segmentGetCmd) Run(ctx context.Context, out io.Writer) error {
	return c.ask(ctx, func(ctx context.Context, s *shopServer) error {
		found, err := s.segments.GetSegment(ctx, &attunev1.GetSegmentRequest{SegmentId: c.ID})
		if err != nil {
			return err
		}
		return c.showSegment(out, found)
	})
}

// showSegment prints one segment.
func (r *remote) showSegment(out io.Writer, s *attunev1.Segment) error {
	if r.Output == "json" {
		return printJSON(out, s)
	}
	p := &printer{to: out}
	p.line("%s %s", plain(s.GetSegmentId()), plain(s.GetDisplayName()))
	if s.GetDescription() != "" {
		p.line("%s", plain(s.GetDescription()))
	}
	p.line("rule: %s", plain(s.GetRule()))
	p.line("%s members, %s", thousands(s.GetSize()), stateOf(s))
	return p.err
}

// stateOf says whether all users were asked.
func stateOf(s *attunev1.Segment) string {
	switch {
	case s.GetState() == attunev1.SegmentState_READY:
		return "ready"
	case s.GetProgress() > 0:
		return fmt.Sprintf("%.0f%% of the users asked", 100*s.GetProgress())
	default:
		return fmt.Sprintf("%s users asked so far", thousands(s.GetUsersAsked()))
	}
}

type segmentListCmd struct {
	page
	remote
}

// Run prints a page of the segments.
func (c *segmentListCmd) Run(ctx context.Context, out io.Writer) error {
	return c.ask(ctx, func(ctx context.Context, s *shopServer) error {
		response, err := s.segments.ListSegments(ctx, &attunev1.ListSegmentsRequest{PageSize: c.PageSize, PageToken: c.PageToken})
		if err != nil {
			return err
		}
		var rows []string
		for _, found := range response.GetSegments() {
			rows = append(rows, fmt.Sprintf("%s\t%s\t%s\t%s", plain(found.GetSegmentId()), thousands(found.GetSize()), stateOf(found), plain(found.GetRule())))
		}
		return printPage(out, c.Output, response, rows)
	})
}

type segmentDeleteCmd struct {
	ID string `arg:"" help:"The segment's id."`
	remote
}

// Run deletes a segment.
func (c *segmentDeleteCmd) Run(ctx context.Context, out io.Writer) error {
	return c.ask(ctx, func(ctx context.Context, s *shopServer) error {
		response, err := s.segments.DeleteSegment(ctx, &attunev1.DeleteSegmentRequest{SegmentId: c.ID})
		if err != nil {
			return err
		}
		return c.say(out, response, "%s is deleted", plain(c.ID))
	})
}
