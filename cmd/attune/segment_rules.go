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

// ruleFlags give a rule, itself or by a template.
type ruleFlags struct {
	Rule     string            `help:"Rule in CEL, as in: purchases.d30 >= 2." placeholder:"RULE" xor:"rule"`
	Template string            `help:"Ready-made rule: see attune segment templates." placeholder:"NAME" xor:"rule"`
	Set      map[string]string `help:"A template's parameter, as in: --set hours=720. Numbers, true and false are taken as such unless they are in quotes." placeholder:"NAME=VALUE" mapsep:"none"`
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
