// Package fault is the one place where errors become gRPC statuses, and where page tokens
// are made and read. Services return plain errors that wrap the sentinels of model/event;
// the interceptors here turn them into code, message and field violations. What only an
// operator should know is logged and not sent.
package fault

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"golang.org/x/time/rate"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/protoadapt"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/model/likeness"
	"github.com/attune-shop/attune/model/propensity"
	"github.com/attune-shop/attune/server/wire"
)

// retryAfter is what a client is asked to wait where the same call may succeed later.
const retryAfter = time.Second

// table maps the sentinel errors to codes. The first that matches counts.
var table = []struct {
	is   error
	code codes.Code
	// tell says that the error's whole text is for the client; else only the sentinel's is.
	tell bool
	// again says that the same call may succeed later.
	again bool
}{
	{is: event.ErrExpired, code: codes.OutOfRange, tell: true},
	{is: event.ErrNotFound, code: codes.NotFound, tell: true},
	{is: event.ErrExists, code: codes.AlreadyExists, tell: true},
	{is: event.ErrNoModel, code: codes.FailedPrecondition, tell: true},
	{is: event.ErrInUse, code: codes.FailedPrecondition, tell: true},
	{is: propensity.ErrTooLittle, code: codes.FailedPrecondition, tell: true},
	{is: likeness.ErrTooFew, code: codes.FailedPrecondition, tell: true},
	{is: event.ErrBusy, code: codes.Aborted, tell: true},
	{is: event.ErrUnavailable, code: codes.Unavailable, again: true},
	{is: event.ErrExhausted, code: codes.ResourceExhausted, again: true},
	{is: event.ErrLocked, code: codes.Unavailable, again: true},
	{is: event.ErrCorrupt, code: codes.DataLoss},
	{is: event.ErrNewerVersion, code: codes.FailedPrecondition},
	{is: context.Canceled, code: codes.Canceled},
	{is: context.DeadlineExceeded, code: codes.DeadlineExceeded},
}

// Status returns the status of an error, and whether the error holds more than the status
// tells. An error that is a status already stays as it is.
func Status(err error) (s *status.Status, hidden bool) {
	var invalid *event.InvalidError
	if errors.As(err, &invalid) {
		return invalidStatus(invalid), false
	}
	for _, row := range table {
		if !errors.Is(err, row.is) {
			continue
		}
		message := row.is.Error()
		if row.tell {
			message = wire.Text(err.Error())
		}
		s := status.New(row.code, message)
		if row.again {
			s = with(s, &errdetails.RetryInfo{RetryDelay: durationpb.New(retryAfter)})
		}
		return s, !row.tell
	}
	if s, ok := status.FromError(err); ok {
		return s, false
	}
	return status.New(codes.Internal, "internal error"), true
}

func invalidStatus(invalid *event.InvalidError) *status.Status {
	details := &errdetails.BadRequest{}
	for _, v := range invalid.Violations {
		details.FieldViolations = append(details.FieldViolations, &errdetails.BadRequest_FieldViolation{
			Field: wire.Text(v.Field), Description: wire.Text(v.Rule),
		})
	}
	return with(status.New(codes.InvalidArgument, wire.Text(invalid.Error())), details)
}

func with(s *status.Status, detail protoadapt.MessageV1) *status.Status {
	if more, err := s.WithDetails(detail); err == nil {
		return more
	}
	return s
}

// reporter logs what the status of an error hides.
type reporter struct {
	logger *slog.Logger
	// again lets one in a second through of those that may succeed later: where a store is
	// away, every call fails.
	again rate.Sometimes
}

func newReporter(logger *slog.Logger) *reporter {
	return &reporter{logger: logger, again: rate.Sometimes{Interval: time.Second}}
}

// convert is Status as an error, and logs what is hidden.
func (r *reporter) convert(ctx context.Context, method string, err error) error {
	s, hidden := Status(err)
	report := func() {
		r.logger.ErrorContext(ctx, "call failed", "method", method, "code", s.Code().String(), "error", err)
	}
	switch {
	case !hidden || s.Code() == codes.Canceled || s.Code() == codes.DeadlineExceeded:
	case s.Code() == codes.Unavailable || s.Code() == codes.ResourceExhausted:
		r.again.Do(report)
	default:
		report()
	}
	return s.Err()
}
