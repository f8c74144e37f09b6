package server

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"github.com/swaggest/swgui/v5emb"
	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"github.com/attune-shop/attune/gen"
)

const (
	headerTimeout = 10 * time.Second
	idleTimeout   = 2 * time.Minute
	// bodyTimeout and answerTimeout bound how slowly a client may send and take, other
	// than on the streaming routes.
	bodyTimeout   = time.Minute
	answerTimeout = 2 * time.Minute
	maxHeaders    = 64 << 10
)

// newHTTP returns the HTTP server: the REST routes under /v1/, their description, and health.
func (s *Server) newHTTP(gateway http.Handler) *http.Server {
	pages := http.NewServeMux()
	pages.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { writeText(w, http.StatusOK, "ok") })
	pages.HandleFunc("GET /readyz", s.ready)
	pages.HandleFunc("GET /openapi.json", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(gen.OpenAPI) // the client is gone at the worst
	})
	pages.Handle("GET /docs/", v5emb.New("Attune", "/openapi.json", "/docs/"))
	pages.Handle("GET /docs", http.RedirectHandler("/docs/", http.StatusMovedPermanently))
	pages.Handle("GET /{$}", http.RedirectHandler("/docs/", http.StatusFound))
	return &http.Server{
		ReadHeaderTimeout: headerTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeaders,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch {
			case isStream(r):
				serveStream(gateway, w, r)
			case strings.HasPrefix(r.URL.Path, "/v1/"): // not through pages, which would clean the ids in the path
				serveBounded(gateway, w, r)
			default:
				serveBounded(pages, w, r)
			}
		}),
	}
}

// ready answers 200 while calls are taken.
func (s *Server) ready(w http.ResponseWriter, r *http.Request) {
	answer, err := s.health.Check(r.Context(), &grpc_health_v1.HealthCheckRequest{})
	if err != nil || answer.GetStatus() != grpc_health_v1.HealthCheckResponse_SERVING {
		writeText(w, http.StatusServiceUnavailable, "ending")
		return
	}
	writeText(w, http.StatusOK, "ready")
}

func writeText(w http.ResponseWriter, code int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(code)
	_, _ = io.WriteString(w, text+"\n") // the client is gone at the worst
}

// streams has the path of each POST route whose method is a stream, and whether both sides
// stream.
var streams = func() map[string]bool {
	paths := map[string]bool{}
	protoregistry.GlobalFiles.RangeFilesByPackage("attune.v1", func(file protoreflect.FileDescriptor) bool {
		for i := range file.Services().Len() {
			methods := file.Services().Get(i).Methods()
			for j := range methods.Len() {
				method := methods.Get(j)
				rule, _ := proto.GetExtension(method.Options(), annotations.E_Http).(*annotations.HttpRule)
				if method.IsStreamingClient() || method.IsStreamingServer() {
					paths[rule.GetPost()] = method.IsStreamingClient() && method.IsStreamingServer()
				}
			}
		}
		return true
	})
	return paths
}()

// isStream tells whether the request or its answer may go on for as long as it likes.
func isStream(r *http.Request) bool {
	_, found := streams[r.URL.Path]
	return found && r.Method == http.MethodPost
}

// serveBounded bounds the time and size of a request.
func serveBounded(next http.Handler, w http.ResponseWriter, r *http.Request) {
	control := http.NewResponseController(w)
	_ = control.SetWriteDeadline(time.Now().Add(answerTimeout)) // every connection here can
	if r.ContentLength != 0 {
		_ = control.SetReadDeadline(time.Now().Add(bodyTimeout))
		r.Body = &timedBody{ReadCloser: r.Body, done: func() { _ = control.SetReadDeadline(time.Time{}) }}
	}
	next.ServeHTTP(w, r)
}

// timedBody calls done at the end of the body: the connection is read on to see whether
// the client is still there, which must not time out.
type timedBody struct {
	io.ReadCloser
	done func()
}

func (b *timedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil {
		b.done()
	}
	return n, err
}

// serveStream lets request and answer overlap, and tells the client what the gateway could
// not read.
func serveStream(gateway http.Handler, w http.ResponseWriter, r *http.Request) {
	control := http.NewResponseController(w)
	_ = control.SetWriteDeadline(time.Time{}) // every connection here can
	_ = control.EnableFullDuplex()            // HTTP/2 is so anyway
	body := &streamBody{ReadCloser: r.Body}
	r.Body = body
	answer := &countingWriter{ResponseWriter: w}
	gateway.ServeHTTP(answer, r)
	if err := body.failure(); err != nil && streams[r.URL.Path] {
		if !answer.begun {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusBadRequest)
		}
		text, err := newJSONForm().Marshal(map[string]any{"error": restStatus(status.Error(codes.InvalidArgument, err.Error())).Proto()})
		if err == nil {
			_, _ = w.Write(append(text, '\n')) // the client is gone at the worst
		}
	}
}

// countingWriter knows whether anything was written.
type countingWriter struct {
	http.ResponseWriter
	begun bool
}

func (c *countingWriter) WriteHeader(code int) {
	c.begun = true
	c.ResponseWriter.WriteHeader(code)
}

func (c *countingWriter) Write(p []byte) (int, error) {
	c.begun = true
	return c.ResponseWriter.Write(p)
}

// Unwrap lets an http.ResponseController through.
func (c *countingWriter) Unwrap() http.ResponseWriter { return c.ResponseWriter }

// restStatus names the field that the gateway could not read, as services do themselves.
func restStatus(err error) *status.Status {
	s := status.Convert(err)
	if s.Code() != codes.InvalidArgument || len(s.Details()) > 0 {
		return s
	}
	message := strings.ToValidUTF8(strings.ReplaceAll(s.Message(), "\u00a0", " "), "\uFFFD")
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
