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
	return func(ctx context.Context, request any, info *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (response any, err error) {
		defer func() {
			if r := recover(); r != nil {
				err = panicked(r)
			}
			if err != nil {
				response, err = nil, convert(ctx, logger, info.FullMethod, err)
			}
		}()
		return handle(ctx, request)
	}
}

// Stream is Unary for streams.
func Stream(logger *slog.Logger) grpc.StreamServerInterceptor {
	return func(service any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handle grpc.StreamHandler) (err error) {
		defer func() {
			if r := recover(); r != nil {
				err = panicked(r)
			}
			if err != nil {
				err = convert(stream.Context(), logger, info.FullMethod, err)
			}
		}()
		return handle(service, stream)
	}
}

func panicked(reason any) error { return fmt.Errorf("panic: %v\n%s", reason, debug.Stack()) }
