package server

import (
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/swaggest/swgui/v5emb"
	"google.golang.org/grpc/health/grpc_health_v1"

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
