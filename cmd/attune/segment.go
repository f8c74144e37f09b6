package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	"google.golang.org/protobuf/types/known/structpb"

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

// ruleFlags give a rule, itself or by a template.
type ruleFlags struct {
	Rule     string            `help:"Rule in CEL, as in: purchases.d30 >= 2." placeholder:"RULE" xor:"rule"`
	Template string            `help:"Ready-made rule: see attune segment templates." placeholder:"NAME" xor:"rule"`
	Set      map[string]string `help:"A template's parameter, as in: --set days=30. Numbers, true and false are taken as such unless they are in quotes." placeholder:"NAME=VALUE" mapsep:"none"`
}

// template returns the template that is asked for, nil where none is.
func (f *ruleFlags) template() (*attunev1.RuleTemplate, error) {
	if f.Template == "" {
		if len(f.Set) > 0 {
			return nil, errors.New("--set needs --template")
		}
		return nil, nil
	}
	asked := &attunev1.RuleTemplate{Name: f.Template, Parameters: map[string]*structpb.Value{}}
	for _, name := range slices.Sorted(maps.Keys(f.Set)) {
		value, err := structpb.NewValue(scalar(f.Set[name]))
		if err != nil {
			return nil, fmt.Errorf("--set %s: %w", name, err)
		}
		asked.Parameters[name] = value
	}
	return asked, nil
}

// scalar reads a number, a truth value or text in quotes, and takes anything else for text.
func scalar(text string) any {
	var value any
	if json.Unmarshal([]byte(text), &value) == nil {
		switch value.(type) {
		case float64, bool, string:
			return value
		}
	}
	return text
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
		if c.Output == "json" {
			return printJSON(out, response)
		}
		_, err = fmt.Fprintf(out, "%s is deleted\n", plain(c.ID))
		return err
	})
}

type segmentPreviewCmd struct {
	MaxUsers int64 `help:"Users who are asked, at most; all where 0." placeholder:"N"`
	Sample   int32 `help:"Members that are shown, 1 to 1000." default:"10" placeholder:"N"`
	ruleFlags
	remote
}

// Run prints how many users a rule is true of, and some of them.
func (c *segmentPreviewCmd) Run(ctx context.Context, out io.Writer) error {
	template, err := c.template()
	if err != nil {
		return err
	}
	return c.ask(ctx, func(ctx context.Context, s *shopServer) error {
		response, err := s.segments.PreviewSegment(ctx, &attunev1.PreviewSegmentRequest{
			Rule: c.Rule, Template: template, MaxUsers: c.MaxUsers, SampleSize: c.Sample,
		})
		if err != nil {
			return err
		}
		if c.Output == "json" {
			return printJSON(out, response)
		}
		p := &printer{to: out}
		p.line("rule: %s", plain(response.GetRule()))
		p.line("%s of %s users", thousands(response.GetMembers()), thousands(response.GetUsersAsked()))
		for _, m := range response.GetSample() {
			p.line("  %s", plain(m.GetUserId()))
		}
		return p.err
	})
}

type segmentTemplatesCmd struct{ remote }

// Run prints the ready-made rules and their parameters.
func (c *segmentTemplatesCmd) Run(ctx context.Context, out io.Writer) error {
	return c.ask(ctx, func(ctx context.Context, s *shopServer) error {
		response, err := s.segments.ListTemplates(ctx, &attunev1.ListTemplatesRequest{})
		if err != nil {
			return err
		}
		if c.Output == "json" {
			return printJSON(out, response)
		}
		p := &printer{to: out}
		for _, t := range response.GetTemplates() {
			p.line("%s: %s", t.GetName(), t.GetDescription())
			var rows []string
			for _, parameter := range t.GetParameters() {
				value := "must be given"
				if parameter.GetDefault() != nil {
					value = fmt.Sprint(parameter.GetDefault().AsInterface())
				}
				rows = append(rows, fmt.Sprintf("%s\t%s\t%s\t%s", parameter.GetName(), parameter.GetType(), value, parameter.GetDescription()))
			}
			p.table("  ", rows)
		}
		return p.err
	})
}

type segmentMembersCmd struct {
	ID string `arg:"" help:"The segment's id."`
	page
	remote
}

// Run prints a page of members.
func (c *segmentMembersCmd) Run(ctx context.Context, out io.Writer) error {
	return c.ask(ctx, func(ctx context.Context, s *shopServer) error {
		response, err := s.segments.ListMembers(ctx, &attunev1.ListMembersRequest{
			SegmentId: c.ID, PageSize: c.PageSize, PageToken: c.PageToken,
		})
		if err != nil {
			return err
		}
		var rows []string
		for _, m := range response.GetMembers() {
			rows = append(rows, plain(m.GetUserId()))
		}
		return printPage(out, c.Output, response, rows)
	})
}

type segmentCheckCmd struct {
	Users     []string `arg:"" help:"Ids of users."`
	Anonymous bool     `help:"The ids are those of anonymous visitors."`
	Segment   []string `help:"Only these segments." placeholder:"ID" sep:"none"`
	remote
}

// Run prints the segments of each user.
func (c *segmentCheckCmd) Run(ctx context.Context, out io.Writer) error {
	return c.ask(ctx, func(ctx context.Context, s *shopServer) error {
		request := &attunev1.CheckMembershipRequest{SegmentIds: c.Segment}
		if request.UserIds = c.Users; c.Anonymous {
			request.UserIds, request.AnonymousIds = nil, c.Users
		}
		response, err := s.segments.CheckMembership(ctx, request)
		if err != nil {
			return err
		}
		if c.Output == "json" {
			return printJSON(out, response)
		}
		var rows []string
		for _, m := range response.GetMemberships() {
			rows = append(rows, fmt.Sprintf("%s%s\t%s", plain(m.GetUserId()), plain(m.GetAnonymousId()), listed(m.GetSegmentIds())))
		}
		p := &printer{to: out}
		p.table("", rows)
		return p.err
	})
}

type segmentScaleCmd struct {
	FromBuyers string `help:"Set the scale to the fifths of the shop's buyers by their orders in this currency." placeholder:"CODE"`
	remote
}

// Run prints the scale, after setting it where that is asked for.
func (c *segmentScaleCmd) Run(ctx context.Context, out io.Writer) error {
	return c.ask(ctx, func(ctx context.Context, s *shopServer) error {
		var scale *attunev1.Scale
		var err error
		if c.FromBuyers != "" {
			scale, err = s.segments.SetScale(ctx, &attunev1.SetScaleRequest{FromBuyersCurrencyCode: c.FromBuyers})
		} else {
			scale, err = s.segments.GetScale(ctx, &attunev1.GetScaleRequest{})
		}
		if err != nil {
			return err
		}
		if c.Output == "json" {
			return printJSON(out, scale)
		}
		p := &printer{to: out}
		p.table("", []string{
			fmt.Sprintf("days since the last purchase\t%v", scale.GetRecencyDays()),
			fmt.Sprintf("purchases\t%v", scale.GetFrequency()),
			fmt.Sprintf("spent %s, in minor units\t%v", scale.GetCurrencyCode(), scale.GetMonetaryMinorUnits()),
		})
		return p.err
	})
}
