package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	attunev1 "github.com/attune-shop/attune/gen/attune/v1"
)

type segmentExportCmd struct {
	ID string `arg:"" help:"The segment's id."`
	remote
}

// Run writes the user ids of all members, one a line; as JSON, one object a line.
func (c *segmentExportCmd) Run(ctx context.Context, out io.Writer) error {
	server, err := connect(c.Addr)
	if err != nil {
		return err
	}
	defer server.conn.Close()
	stream, err := server.segments.ExportMembers(ctx, &attunev1.ExportMembersRequest{SegmentId: c.ID})
	if err != nil {
		return server.failure(err)
	}
	to := bufio.NewWriter(out)
	for {
		response, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return to.Flush()
		}
		if err != nil {
			return errors.Join(to.Flush(), server.failure(err))
		}
		for _, m := range response.GetMembers() {
			line := []byte(plain(m.GetUserId()))
			if c.Output == "json" {
				if line, err = json.Marshal(map[string]string{"user_id": m.GetUserId()}); err != nil {
					return err
				}
			}
			if _, err := to.Write(append(line, '\n')); err != nil {
				return err
			}
		}
	}
}

type segmentWatchCmd struct {
	ID     string `arg:"" help:"The segment's id."`
	Start  string `help:"Where to begin: ${enum}. members begins with all who are in now, beginning with the segment's first change." enum:"members,beginning,now" default:"members"`
	Cursor string `help:"Go on after an earlier watch." placeholder:"CURSOR"`
	remote
}

// watchStarts by their names on the command line.
var watchStarts = map[string]attunev1.WatchStart{
	"members": attunev1.WatchStart_MEMBERS, "beginning": attunev1.WatchStart_BEGINNING, "now": attunev1.WatchStart_NOW,
}

// changeNames of the text form.
var changeNames = map[attunev1.MembershipChangeType]string{
	attunev1.MembershipChangeType_MEMBER: "member", attunev1.MembershipChangeType_ENTERED: "entered", attunev1.MembershipChangeType_LEFT: "left",
}

// Run prints changes until it is interrupted. Where the connection breaks it goes on after the
// last cursor.
func (c *segmentWatchCmd) Run(ctx context.Context, out io.Writer) error {
	server, err := connect(c.Addr)
	if err != nil {
		return err
	}
	defer server.conn.Close()
	request := &attunev1.WatchSegmentRequest{SegmentId: c.ID, Cursor: c.Cursor, Start: watchStarts[c.Start]}
	for {
		err := c.watch(ctx, server, request, out)
		if status.Code(err) != codes.Unavailable || request.GetCursor() == "" || ctx.Err() != nil {
			return server.failure(err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Second):
		}
	}
}

func (c *segmentWatchCmd) watch(ctx context.Context, server *shopServer, request *attunev1.WatchSegmentRequest, out io.Writer) error {
	stream, err := server.segments.WatchSegment(ctx, request)
	if err != nil {
		return err
	}
	for {
		response, err := stream.Recv()
		if err != nil {
			return err
		}
		if cursor := response.GetCursor(); cursor != "" {
			request.Cursor = cursor
		}
		if c.Output == "json" {
			if err := printJSON(out, response); err != nil {
				return err
			}
			continue
		}
		p := &printer{to: out}
		for _, change := range response.GetChanges() {
			at := ""
			if change.GetOccurredAt() != nil {
				at = change.GetOccurredAt().AsTime().Format(time.RFC3339) + " "
			}
			p.line("%s%s %s", at, changeNames[change.GetType()], plain(change.GetUserId()))
		}
		if p.err != nil {
			return p.err
		}
	}
}
