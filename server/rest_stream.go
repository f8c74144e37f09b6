package server

import (
	"io"
	"net/http"
	"regexp"
	"slices"
	"sync"
	"time"

	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
)

// streams has the path of each POST route whose method is a stream, and whether both sides
// stream; answers are those of the GET routes that stream their answer.
var streams, answers = func() (paths map[string]bool, answers []*regexp.Regexp) {
	paths = map[string]bool{}
	protoregistry.GlobalFiles.RangeFilesByPackage("attune.v1", func(file protoreflect.FileDescriptor) bool {
		for i := range file.Services().Len() {
			methods := file.Services().Get(i).Methods()
			for j := range methods.Len() {
				method := methods.Get(j)
				rule, _ := proto.GetExtension(method.Options(), annotations.E_Http).(*annotations.HttpRule)
				switch streams := method.IsStreamingClient() || method.IsStreamingServer(); {
				case streams && rule.GetGet() != "":
					path := pathParameter.ReplaceAllString(regexp.QuoteMeta(rule.GetGet()), "[^/]+")
					answers = append(answers, regexp.MustCompile("^"+path+"$"))
				case streams:
					paths[rule.GetPost()] = method.IsStreamingClient() && method.IsStreamingServer()
				}
			}
		}
		return true
	})
	return paths, answers
}()

// pathParameter is a parameter in the path of a route, as regexp.QuoteMeta leaves it.
var pathParameter = regexp.MustCompile(`\\\{[^}]*\}`)

// isStream tells whether the request or its answer may go on for as long as it likes.
func isStream(r *http.Request) bool {
	if r.Method == http.MethodGet {
		return slices.ContainsFunc(answers, func(path *regexp.Regexp) bool { return path.MatchString(r.URL.EscapedPath()) })
	}
	_, found := streams[r.URL.Path]
	return found && r.Method == http.MethodPost
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

// streamBody is the body of a streamed request. The gateway ends a stream at what it cannot
// read without a word to the client; what that was is kept here.
type streamBody struct {
	io.ReadCloser

	mu     sync.Mutex
	failed error
}

func (b *streamBody) fail(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.failed = err
}

func (b *streamBody) failure() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.failed
}
