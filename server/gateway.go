package server

import (
	"context"
	"math"
	"net"
	"net/http"
	"strings"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"

	attunev1 "github.com/attune-shop/attune/gen/attune/v1"
)

// newGateway returns the REST routes of every service, as their protos have them. It calls
// the services through a connection in memory, so that the same interceptors see all calls.
func newGateway(ctx context.Context, inside *bufconn.Listener) (http.Handler, *grpc.ClientConn, error) {
	conn, err := grpc.NewClient("passthrough:///inside",
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return inside.DialContext(ctx) }),
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(math.MaxInt32), grpc.MaxCallSendMsgSize(math.MaxInt32)),
		grpc.WithInitialWindowSize(streamWindowBytes),
		grpc.WithInitialConnWindowSize(connWindowBytes),
	)
	if err != nil {
		return nil, nil, err
	}
	mux := runtime.NewServeMux(
		runtime.WithMarshalerOption(runtime.MIMEWildcard, newJSONForm()),
		runtime.WithUnescapingMode(runtime.UnescapingModeAllCharacters),
		runtime.WithMiddlewares(restoreSlashes),
		runtime.WithErrorHandler(writeError),
		runtime.WithStreamErrorHandler(func(_ context.Context, err error) *status.Status { return restStatus(err) }),
		runtime.WithRoutingErrorHandler(writeRoutingError),
		runtime.WithDisablePathLengthFallback(),
		strictQuery(),
	)
	for _, register := range []func(context.Context, *runtime.ServeMux, *grpc.ClientConn) error{
		attunev1.RegisterEventServiceHandler,
		attunev1.RegisterCatalogServiceHandler,
		attunev1.RegisterRecommendationServiceHandler,
		attunev1.RegisterUserServiceHandler,
		attunev1.RegisterModelServiceHandler,
		attunev1.RegisterSegmentServiceHandler,
		attunev1.RegisterWebhookServiceHandler,
	} {
		// The connection is closed with the server, not with ctx.
		if err := register(context.WithoutCancel(ctx), mux, conn); err != nil {
			return nil, nil, err
		}
	}
	return newExports(conn, hideSlashes(mux)), conn, nil
}

// hiddenSlash stands for %2F in a path while the gateway splits it at slashes, escaped ones
// too. No id holds it: control characters are refused.
const hiddenSlash = "\x00"

// hideSlashes keeps an id with a slash, as in /v1/items/a%2Fb, in one piece.
func hideSlashes(gateway http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path := *r.URL
		path.RawPath = hideSlash.Replace(r.URL.EscapedPath())
		r.URL = &path
		gateway.ServeHTTP(w, r)
	})
}

// hideSlash puts another control character in the place of one that was sent.
var hideSlash = strings.NewReplacer("%2F", "%00", "%2f", "%00", "%00", "%01")

// restoreSlashes gives the ids in the path their slashes back.
func restoreSlashes(next runtime.HandlerFunc) runtime.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request, params map[string]string) {
		for name, value := range params {
			params[name] = strings.ReplaceAll(value, hiddenSlash, "/")
		}
		next(w, r, params)
	}
}
