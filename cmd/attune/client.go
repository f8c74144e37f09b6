package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

// client are the flags of every command that talks to a server.
type client struct {
	Addr   string `help:"Address of the server's gRPC services." default:"127.0.0.1:9090" placeholder:"HOST:PORT"`
	Output string `help:"Form of the output: ${enum}." enum:"text,json" default:"text"`
}

func (c *client) dial() (*grpc.ClientConn, error) { return dial(c.Addr) }

func dial(addr string) (*grpc.ClientConn, error) {
	return grpc.NewClient(addr, grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(64<<20)))
}

// json tells whether messages go out as JSON, and writes one a line if so.
func (c *client) json(out io.Writer, message proto.Message) (bool, error) {
	if c.Output != "json" {
		return false, nil
	}
	return true, writeJSON(out, message)
}

func writeJSON(out io.Writer, message proto.Message) error {
	line, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(message)
	if err == nil {
		_, err = fmt.Fprintf(out, "%s\n", line)
	}
	return err
}

// plain turns a server's status into a sentence with every field that is not valid.
func plain(err error) error {
	s, ok := status.FromError(err)
	if err == nil || !ok {
		return err
	}
	text := []string{s.Message()}
	for _, detail := range s.Details() {
		if bad, ok := detail.(*errdetails.BadRequest); ok {
			for _, violation := range bad.GetFieldViolations() {
				text = append(text, fmt.Sprintf("  %s: %s", violation.GetField(), violation.GetDescription()))
			}
		}
	}
	return errors.New(strings.Join(text, "\n"))
}
