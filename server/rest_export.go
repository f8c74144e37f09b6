package server

import (
	"bufio"
	"compress/gzip"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	attunev1 "github.com/attune-shop/attune/gen/attune/v1"
)

// exports answers GET /v1/segments/{segment_id}/members:export as files that people open: one
// member a line, CSV where the client accepts that, NDJSON else.
type exports struct {
	segments attunev1.SegmentServiceClient
	next     http.Handler
}

func newExports(conn *grpc.ClientConn, next http.Handler) http.Handler {
	return &exports{segments: attunev1.NewSegmentServiceClient(conn), next: next}
}

// exported returns the segment that a request wants the members of.
func exported(r *http.Request) (segmentID string, ok bool) {
	rest, found := strings.CutPrefix(r.URL.EscapedPath(), "/v1/segments/")
	id, found2 := strings.CutSuffix(rest, "/members:export")
	if !found || !found2 || strings.Contains(id, "/") || r.Method != http.MethodGet && r.Method != http.MethodHead {
		return "", false
	}
	segmentID, err := url.PathUnescape(id)
	return segmentID, err == nil
}

func (e *exports) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	id, ok := exported(r)
	if !ok {
		e.next.ServeHTTP(w, r)
		return
	}
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	stream, err := e.segments.ExportMembers(ctx, &attunev1.ExportMembersRequest{SegmentId: id})
	if err != nil {
		refuse(w, r, err)
		return
	}
	first, err := stream.Recv() // an error is an answer of its own as long as nothing is written
	if err != nil && !errors.Is(err, io.EOF) {
		refuse(w, r, err)
		return
	}
	write := newMemberWriter(w, r)
	for ; err == nil; first, err = stream.Recv() {
		if err := write.members(first.GetMembers()); err != nil {
			return // the client is gone
		}
	}
	if !errors.Is(err, io.EOF) {
		panic(http.ErrAbortHandler) // half a file must not look like a whole one
	}
	_ = write.close() // the client is gone at the worst
}

// refuse answers an error as the gateway does.
func refuse(w http.ResponseWriter, r *http.Request, err error) {
	if status.Code(err) == codes.Canceled {
		return
	}
	writeError(r.Context(), runtime.NewServeMux(), newJSONForm(), w, r, err)
}

// memberWriter writes members, one a line.
type memberWriter struct {
	to     *bufio.Writer
	zipped *gzip.Writer
	csv    *csv.Writer
	json   *json.Encoder
}

func newMemberWriter(w http.ResponseWriter, r *http.Request) *memberWriter {
	m := &memberWriter{}
	header := w.Header()
	header.Add("Vary", "Accept, Accept-Encoding")
	var body io.Writer = w
	if accepts(r, "Accept-Encoding", "gzip") {
		header.Set("Content-Encoding", "gzip")
		m.zipped, _ = gzip.NewWriterLevel(w, gzip.BestSpeed) // the level is one
		body = m.zipped
	}
	m.to = bufio.NewWriterSize(body, 64<<10)
	if accepts(r, "Accept", "text/csv") {
		header.Set("Content-Type", "text/csv; charset=utf-8; header=present")
		m.csv = csv.NewWriter(m.to)
		_ = m.csv.Write([]string{"user_id"}) // into memory
		return m
	}
	header.Set("Content-Type", "application/x-ndjson")
	m.json = json.NewEncoder(m.to)
	m.json.SetEscapeHTML(false)
	return m
}

// accepts tells whether one of a header's values is the wanted one, and not with a weight of 0.
func accepts(r *http.Request, header, wanted string) bool {
	for _, line := range r.Header.Values(header) {
		for value := range strings.SplitSeq(line, ",") {
			name, weight, _ := strings.Cut(value, ";")
			weight = strings.ReplaceAll(weight, " ", "")
			if strings.EqualFold(strings.TrimSpace(name), wanted) && (weight == "" || strings.Trim(weight, "q=0.") != "") {
				return true
			}
		}
	}
	return false
}

func (m *memberWriter) members(all []*attunev1.Member) error {
	for _, member := range all {
		var err error
		if m.csv != nil {
			err = m.csv.Write([]string{member.GetUserId()})
		} else {
			err = m.json.Encode(memberLine{member.GetUserId()})
		}
		if err != nil {
			return err
		}
	}
	return nil
}

type memberLine struct {
	UserID string `json:"user_id"`
}

func (m *memberWriter) close() error {
	if m.csv != nil {
		m.csv.Flush()
	}
	err := m.to.Flush()
	if m.zipped != nil {
		err = errors.Join(err, m.zipped.Close())
	}
	return err
}
