package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	attunev1 "github.com/attune-shop/attune/gen/attune/v1"
)

// maxAnswerBytes bounds one message of a server.
const maxAnswerBytes = 64 << 20

// form is how a command prints what it found.
type form struct {
	Output string `help:"Form of the output: ${enum}." enum:"text,json" default:"text"`
}

// remote is what the commands that talk to a server have in common.
type remote struct {
	Addr    string        `help:"Address of the server's gRPC services." default:"127.0.0.1:9090" placeholder:"HOST:PORT"`
	Timeout time.Duration `help:"Time that one call may take; trainings, imports, exports and watches take as long as they need." default:"30s" placeholder:"TIME"`
	form
}

// shopServer is an open connection and its services.
type shopServer struct {
	conn     *grpc.ClientConn
	addr     string
	events   attunev1.EventServiceClient
	items    attunev1.CatalogServiceClient
	lists    attunev1.RecommendationServiceClient
	users    attunev1.UserServiceClient
	models   attunev1.ModelServiceClient
	segments attunev1.SegmentServiceClient
	webhooks attunev1.WebhookServiceClient
}

// connect makes a connection, which is opened with the first call.
func connect(addr string) (*shopServer, error) {
	conn, err := grpc.NewClient(addr,
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 20 * time.Second, Timeout: 10 * time.Second}),
		grpc.WithConnectParams(grpc.ConnectParams{
			MinConnectTimeout: 5 * time.Second,
			Backoff:           backoff.Config{BaseDelay: 100 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: 2 * time.Second},
		}),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxAnswerBytes)),
	)
	if err != nil {
		return nil, fmt.Errorf("server address %q: %w", addr, err)
	}
	return &shopServer{
		conn: conn, addr: addr,
		events:   attunev1.NewEventServiceClient(conn),
		items:    attunev1.NewCatalogServiceClient(conn),
		lists:    attunev1.NewRecommendationServiceClient(conn),
		users:    attunev1.NewUserServiceClient(conn),
		models:   attunev1.NewModelServiceClient(conn),
		segments: attunev1.NewSegmentServiceClient(conn),
		webhooks: attunev1.NewWebhookServiceClient(conn),
	}, nil
}

// ask has Timeout for what talk does.
func (r *remote) ask(ctx context.Context, do func(ctx context.Context, s *shopServer) error) error {
	ctx, cancel := context.WithTimeout(ctx, r.Timeout)
	defer cancel()
	return r.talk(ctx, do)
}

// talk opens a connection for one command, which takes as long as it takes, and gives each of its errors the
// words for people.
func (r *remote) talk(ctx context.Context, do func(ctx context.Context, s *shopServer) error) error {
	s, err := connect(r.Addr)
	if err != nil {
		return err
	}
	defer s.conn.Close()
	return s.failure(do(ctx, s))
}

// failure returns what a server's error says, with each field that it names on a line.
func (s *shopServer) failure(err error) error {
	if err == nil || errors.Is(err, context.Canceled) {
		return err
	}
	st, ok := status.FromError(err)
	if !ok {
		return err
	}
	switch st.Code() {
	case codes.Canceled:
		return context.Canceled
	case codes.Unavailable:
		return fmt.Errorf("no answer from a server at %s: %s", s.addr, st.Message())
	}
	var fields []string
	for _, detail := range st.Details() {
		if bad, ok := detail.(*errdetails.BadRequest); ok {
			for _, v := range bad.GetFieldViolations() {
				fields = append(fields, "\n  "+v.GetField()+": "+v.GetDescription())
			}
		}
	}
	if len(fields) > 0 {
		return fmt.Errorf("%s:%s", words(st.Code()), strings.Join(fields, ""))
	}
	if message := st.Message(); strings.Contains(message, words(st.Code())) {
		return errors.New(message)
	}
	return fmt.Errorf("%s: %s", words(st.Code()), st.Message())
}

// words are the code's name as people write it.
func words(code codes.Code) string {
	var b strings.Builder
	for i, r := range code.String() {
		if r >= 'A' && r <= 'Z' {
			if i > 0 {
				b.WriteByte(' ')
			}
			r += 'a' - 'A'
		}
		b.WriteRune(r)
	}
	return b.String()
}

// printJSON writes a message with the contract's names, as the REST routes do.
func printJSON(out io.Writer, m proto.Message) error {
	data, err := protojson.MarshalOptions{UseProtoNames: true, EmitDefaultValues: true}.Marshal(m)
	if err != nil {
		return err
	}
	var text bytes.Buffer
	// protojson's own spaces differ from build to build.
	if err := json.Indent(&text, data, "", "  "); err != nil {
		return err
	}
	_, err = fmt.Fprintln(out, text.String())
	return err
}

// price writes an amount for people, empty where there is none.
func price(m *attunev1.Money) string {
	if m.GetCurrencyCode() == "" {
		return ""
	}
	return amount(m.GetMinorUnits(), m.GetCurrencyCode())
}

// say prints a response, or a sentence in its place.
func (r *remote) say(out io.Writer, response proto.Message, format string, args ...any) error {
	if r.Output == "json" {
		return printJSON(out, response)
	}
	p := &printer{to: out}
	p.line(format, args...)
	return p.err
}
