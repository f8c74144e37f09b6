package fault_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"pgregory.net/rapid"

	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/server/fault"
)

func TestStatusOfEachError(t *testing.T) {
	secret := errors.New("open /secret/path: no such file")
	for _, tc := range []struct {
		err    error
		code   codes.Code
		hidden bool
		retry  bool
	}{
		{fmt.Errorf("item %q: %w", "x", event.ErrNotFound), codes.NotFound, false, false},
		{fmt.Errorf("asked: %w", event.Invalid("limit", "must be above 0")), codes.InvalidArgument, false, false},
		{event.ErrNoModel, codes.FailedPrecondition, false, false},
		{fmt.Errorf("segment %q is %w", "x", event.ErrInUse), codes.FailedPrecondition, false, false},
		{event.ErrBusy, codes.Aborted, false, false},
		{fmt.Errorf("%w: %w", event.ErrUnavailable, secret), codes.Unavailable, true, true},
		{fmt.Errorf("%w: %w", event.ErrExhausted, secret), codes.ResourceExhausted, true, true},
		{fmt.Errorf("%w: %w", event.ErrLocked, secret), codes.Unavailable, true, true},
		{fmt.Errorf("%w: %w", event.ErrCorrupt, secret), codes.DataLoss, true, false},
		{fmt.Errorf("%w: %w", event.ErrNewerVersion, secret), codes.FailedPrecondition, true, false},
		{fmt.Errorf("read: %w", context.Canceled), codes.Canceled, true, false},
		{context.DeadlineExceeded, codes.DeadlineExceeded, true, false},
		{status.Error(codes.AlreadyExists, "there"), codes.AlreadyExists, false, false},
		{secret, codes.Internal, true, false},
	} {
		s, hidden := fault.Status(tc.err)
		if s.Code() != tc.code || hidden != tc.hidden {
			t.Errorf("%v: %v, hidden %v", tc.err, s.Code(), hidden)
		}
		if strings.Contains(s.Message(), "secret") {
			t.Errorf("%v: tells the client %q", tc.err, s.Message())
		}
		retry := false
		for _, d := range s.Details() {
			_, is := d.(*errdetails.RetryInfo)
			retry = retry || is
		}
		if retry != tc.retry {
			t.Errorf("%v: retry info %v", tc.err, retry)
		}
	}
}

func TestInvalidNamesItsFields(t *testing.T) {
	s, _ := fault.Status(&event.InvalidError{Violations: []event.Violation{{Field: "a", Rule: "is bad"}, {Field: "b[1]", Rule: "is \xff"}}})
	got := s.Details()[0].(*errdetails.BadRequest).GetFieldViolations()
	if len(got) != 2 || got[0].GetField() != "a" || got[1].GetField() != "b[1]" || got[1].GetDescription() != "is \uFFFD" {
		t.Errorf("violations %v", got)
	}
}

func TestInterceptorsRecoverAndLog(t *testing.T) {
	var log bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&log, nil))
	_, err := fault.Unary(logger)(t.Context(), nil, &grpc.UnaryServerInfo{FullMethod: "/a/B"}, func(context.Context, any) (any, error) {
		panic("boom")
	})
	if status.Code(err) != codes.Internal || strings.Contains(err.Error(), "boom") || !strings.Contains(log.String(), "boom") {
		t.Errorf("%v; logged %s", err, log.String())
	}
	err = fault.Stream(logger)(nil, stream{}, &grpc.StreamServerInfo{FullMethod: "/a/C"}, func(any, grpc.ServerStream) error {
		return event.Invalid("x", "is y")
	})
	if status.Code(err) != codes.InvalidArgument {
		t.Error(err)
	}
	response, err := fault.Unary(logger)(t.Context(), nil, &grpc.UnaryServerInfo{}, func(context.Context, any) (any, error) { return 1, nil })
	if response != 1 || err != nil {
		t.Error(response, err)
	}
	if err := fault.Stream(logger)(nil, stream{}, &grpc.StreamServerInfo{}, func(any, grpc.ServerStream) error { return io.EOF }); status.Code(err) != codes.Internal {
		t.Error(err)
	}
}

type stream struct{ grpc.ServerStream }

func (stream) Context() context.Context { return context.Background() }

func TestTokensAreGoodForTheirListOnly(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		kind, value := rapid.String().Draw(t, "kind"), rapid.String().Draw(t, "value")
		token := fault.EncodeToken(kind, value)
		if got, err := fault.DecodeToken(kind, token); err != nil || got != value {
			t.Fatalf("%q, %v", got, err)
		}
		var invalid *event.InvalidError
		if _, err := fault.DecodeToken(kind+"x", token); !errors.As(err, &invalid) || invalid.Violations[0].Field != "page_token" {
			t.Fatalf("another list took the token: %v", err)
		}
		if _, err := fault.DecodeToken(kind, token+"AAAA"); !errors.As(err, &invalid) {
			t.Fatalf("a changed token was taken: %v", err)
		}
	})
}

func TestPageSize(t *testing.T) {
	for asked, want := range map[int32]int{0: 100, 1: 1, 1000: 1000} {
		if got, err := fault.PageSize(asked); got != want || err != nil {
			t.Errorf("%d: %d, %v", asked, got, err)
		}
	}
	for _, asked := range []int32{-1, 1001, 1_000_000_000} {
		var invalid *event.InvalidError
		if _, err := fault.PageSize(asked); !errors.As(err, &invalid) || invalid.Violations[0].Field != "page_size" {
			t.Errorf("%d: %v", asked, err)
		}
	}
}

func FuzzDecodeToken(f *testing.F) {
	f.Add("items", fault.EncodeToken("items", "a"))
	f.Add("", "")
	f.Fuzz(func(t *testing.T, kind, token string) {
		value, err := fault.DecodeToken(kind, token)
		if err == nil && fault.EncodeToken(kind, value) == "" {
			t.Fatal("a token of nothing")
		}
	})
}
