package server

import (
	"context"
	"errors"
	"net/http"
	"regexp"
	"strconv"
	"strings"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/attune-shop/attune/server/wire"
)

// restStatus names the field that the gateway could not read, as services do themselves.
func restStatus(err error) *status.Status {
	s := status.Convert(err)
	if s.Code() != codes.InvalidArgument || len(s.Details()) > 0 {
		return s
	}
	message := wire.Text(strings.ReplaceAll(s.Message(), "\u00a0", " "))
	s = status.New(codes.InvalidArgument, message)
	if field := fieldIn(message); field != "" {
		named, err := s.WithDetails(&errdetails.BadRequest{FieldViolations: []*errdetails.BadRequest_FieldViolation{
			{Field: field, Description: message},
		}})
		if err == nil {
			return named
		}
	}
	return s
}

// writeError answers an error as a google.rpc.Status, with Retry-After where there is one.
func writeError(ctx context.Context, mux *runtime.ServeMux, form runtime.Marshaler, w http.ResponseWriter, r *http.Request, err error) {
	var routed *runtime.HTTPStatusError
	if errors.As(err, &routed) {
		runtime.DefaultHTTPErrorHandler(ctx, mux, form, w, r, err)
		return
	}
	s := restStatus(err)
	for _, detail := range s.Details() {
		if retry, ok := detail.(*errdetails.RetryInfo); ok {
			w.Header().Set("Retry-After", strconv.FormatInt(max(1, retry.GetRetryDelay().GetSeconds()), 10))
		}
	}
	err = s.Err()
	if strings.Contains(s.Message(), errTooLong.Error()) {
		err = &runtime.HTTPStatusError{HTTPStatus: http.StatusRequestEntityTooLarge, Err: err}
	}
	runtime.DefaultHTTPErrorHandler(ctx, mux, form, w, r, err)
}

// writeRoutingError answers a path that is no route, or not with that method.
func writeRoutingError(ctx context.Context, mux *runtime.ServeMux, form runtime.Marshaler, w http.ResponseWriter, r *http.Request, code int) {
	if code == http.StatusMethodNotAllowed {
		err := &runtime.HTTPStatusError{HTTPStatus: code, Err: status.Error(codes.Unimplemented, "no "+r.Method+" on this path")}
		runtime.HTTPError(ctx, mux, form, w, r, err)
		return
	}
	runtime.DefaultRoutingErrorHandler(ctx, mux, form, w, r, code)
}

// fieldNames find the field in what nameField and the gateway say of values that they cannot read.
var fieldNames = []*regexp.Regexp{
	regexp.MustCompile(`(?:^|unknown |duplicate |parsing |: |for )field "([^"]+)"`),
	regexp.MustCompile(`parameter: (\w+)`),
}

// fieldIn returns the field that a message names, empty where it names none.
func fieldIn(message string) string {
	for _, names := range fieldNames {
		if match := names.FindStringSubmatch(message); match != nil {
			return match[1]
		}
	}
	return ""
}
