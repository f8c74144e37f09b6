package fault

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"

	"google.golang.org/grpc"
)

// Unary returns the interceptor that turns the errors of unary calls into statuses, and a
// panic into an error that is logged.
func Unary(logger *slog.Logger) grpc.UnaryServerInterceptor {
	failures := newReporter(logger)
	return func(ctx context.Context, request any, info *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (response any, err error) {
		defer func() {
			if r := recover(); r != nil {
				err = panicked(r)
			}
			if err != nil {
				response, err = nil, failures.convert(ctx, info.FullMethod, err)
			}
		}()
		return handle(ctx, request)
	}
}

// Stream is Unary for streams.
func Stream(logger *slog.Logger) grpc.StreamServerInterceptor {
	failures := newReporter(logger)
	return func(service any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handle grpc.StreamHandler) (err error) {
		defer func() {
			if r := recover(); r != nil {
				err = panicked(r)
			}
			if err != nil {
				err = failures.convert(stream.Context(), info.FullMethod, err)
			}
		}()
		return handle(service, stream)
	}
}

func panicked(reason any) error { return fmt.Errorf("panic: %v\n%s", reason, debug.Stack()) }
