package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	attunev1 "github.com/attune-shop/attune/gen/attune/v1"
)

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

// listed writes ids one after the other.
func listed(ids []string) string {
	if len(ids) == 0 {
		return "none"
	}
	return plain(strings.Join(ids, " "))
}
