package importer_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"

	"github.com/attune-shop/attune/cmd/attune/internal/importer"
	attunev1 "github.com/attune-shop/attune/gen/attune/v1"
)

// door is a server that keeps ids, refuses what is called bad, and breaks streams.
type door struct {
	attunev1.UnimplementedEventServiceServer

	mu   sync.Mutex
	kept map[string]int
	// breaks says after how many batches in all a stream breaks, with which error; half of
	// them write the batch first, as a server that dies before its answer is sent.
	breaks map[int]error
	seen   int
}

func (d *door) Stream(stream attunev1.EventService_StreamServer) error {
	for {
		request, err := stream.Recv()
		if err != nil {
			return nil //nolint:nilerr // the client's end is the stream's
		}
		d.mu.Lock()
		d.seen++
		fault := d.breaks[d.seen]
		var results []*attunev1.EventResult
		if fault == nil || d.seen%2 == 0 {
			results = d.write(request.GetEvents())
		}
		d.mu.Unlock()
		if fault != nil {
			return fault
		}
		if err := stream.Send(&attunev1.StreamResponse{BatchId: request.GetBatchId(), Results: results}); err != nil {
			return err
		}
	}
}

func (d *door) write(events []*attunev1.Event) (results []*attunev1.EventResult) {
	for _, e := range events {
		result := &attunev1.EventResult{EventId: e.GetEventId(), Status: attunev1.EventStatus_ACCEPTED}
		switch {
		case e.GetType() == "bad":
			result.Status = attunev1.EventStatus_REJECTED
			result.Violations = []*attunev1.FieldViolation{{Field: "lines[7].item_id", Description: "must not be bad"}}
		case d.kept[e.GetEventId()] > 0:
			result.Status = attunev1.EventStatus_DUPLICATE
		default:
			d.kept[e.GetEventId()]++
		}
		results = append(results, result)
	}
	return results
}

func open(t *testing.T, d *door) attunev1.EventServiceClient {
	t.Helper()
	listener := bufconn.Listen(1 << 20)
	server := grpc.NewServer()
	attunev1.RegisterEventServiceServer(server, d)
	go func() { _ = server.Serve(listener) }()
	conn, err := grpc.NewClient("passthrough:///test", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) }))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = conn.Close()
		server.Stop()
	})
	return attunev1.NewEventServiceClient(conn)
}

// lines is a file of n events, the last of which are no events.
func lines(n, malformed int) string {
	var b strings.Builder
	for i := range n {
		_, _ = fmt.Fprintf(&b, "{\"event_id\":\"e%d\",\"type\":\"search\"}\n", i)
	}
	return b.String() + strings.Repeat("{\n", malformed)
}

func source(t *testing.T, file string) importer.Source {
	t.Helper()
	s, err := importer.NewSource(importer.JSONL, strings.NewReader(file), nil)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func options() importer.Options {
	return importer.Options{BatchSize: 7, Window: 4, Patience: time.Minute}
}

// TestDeliverOverBrokenStreams: whatever breaks, each event is there once, and the sums hold.
func TestDeliverOverBrokenStreams(t *testing.T) {
	lost := status.Error(codes.Unavailable, "gone")
	for name, breaks := range map[string]map[int]error{
		"a sound stream":           {},
		"the first batch":          {1: lost},
		"twice the same":           {5: lost, 6: lost, 7: lost},
		"now and then":             {3: lost, 10: status.Error(codes.ResourceExhausted, "later"), 40: lost, 57: status.Error(codes.Aborted, "")},
		"the server ends politely": {20: status.Error(codes.Unavailable, "the server is ending")},
	} {
		t.Run(name, func(t *testing.T) {
			d := &door{kept: map[string]int{}, breaks: breaks}
			var acked int64
			o := options()
			o.Acked = func(r *importer.Report) error {
				if r.Acked() <= acked {
					t.Errorf("%d acknowledged after %d", r.Acked(), acked)
				}
				acked = r.Acked()
				return nil
			}
			report, err := importer.Deliver(t.Context(), open(t, d), source(t, lines(400, 3)), o)
			if err != nil {
				t.Fatal(err)
			}
			if len(d.kept) != 400 || report.Accepted.Events+report.Duplicate.Events != 400 || acked != 400 {
				t.Errorf("%d kept, %+v", len(d.kept), report)
			}
			if report.Lines != 403 || report.Settled() != 403 || report.SkippedLines() != 3 {
				t.Errorf("of %d lines %d are settled, %d skipped", report.Lines, report.Settled(), report.SkippedLines())
			}
		})
	}
}

func TestDeliverTwice(t *testing.T) {
	d := &door{kept: map[string]int{}}
	client := open(t, d)
	file := lines(50, 0) + `{"event_id":"x","type":"bad"}` + "\n" + `{"event_id":"y","type":"bad"}` + "\n"
	for pass, want := range []importer.Report{{Accepted: importer.Count{Events: 50, Lines: 50}}, {Duplicate: importer.Count{Events: 50, Lines: 50}}} {
		report, err := importer.Deliver(t.Context(), client, source(t, file), options())
		if err != nil {
			t.Fatal(err)
		}
		if report.Accepted != want.Accepted || report.Duplicate != want.Duplicate || report.Rejected.Events != 2 {
			t.Errorf("pass %d: %+v", pass, report)
		}
		reasons := []importer.Reason{{Reason: "lines[].item_id", Events: 2, Lines: 2, Example: "x: lines[7].item_id: must not be bad"}}
		if diff := cmp.Diff(reasons, report.Rejections); diff != "" {
			t.Error(diff)
		}
	}
}

// TestResume: an import that is broken off goes on where the acknowledgements ended.
func TestResume(t *testing.T) {
	dir := t.TempDir()
	file, state := filepath.Join(dir, "events.jsonl"), filepath.Join(dir, "state")
	text := lines(300, 1)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	d := &door{kept: map[string]int{}}
	client := open(t, d)
	point, err := importer.OpenCheckpoint(state, file, importer.JSONL, "server")
	if err != nil {
		t.Fatal(err)
	}
	full := errors.New("the disk of the state is full")
	o := options()
	o.Acked = func(r *importer.Report) error {
		if r.Acked() > 100 {
			return full
		}
		return point.Advance(r.Acked())
	}
	if _, err := importer.Deliver(t.Context(), client, source(t, text), o); !errors.Is(err, full) {
		t.Fatal(err)
	}
	if err := point.Save(); err != nil {
		t.Fatal(err)
	}

	again, err := importer.OpenCheckpoint(state, file, importer.JSONL, "server")
	if err != nil || again.Acknowledged() != 98 {
		t.Fatalf("%d acknowledged, %v", again.Acknowledged(), err)
	}
	o = options()
	o.Skip = again.Acknowledged()
	report, err := importer.Deliver(t.Context(), client, source(t, text), o)
	if err != nil || len(d.kept) != 300 || report.Resumed.Events != 98 || report.Settled() != report.Lines || report.Acked() != 300 {
		t.Errorf("%+v, %v, %d kept", report, err, len(d.kept))
	}
	for name, other := range map[string]func() (*importer.Checkpoint, error){
		"server": func() (*importer.Checkpoint, error) {
			return importer.OpenCheckpoint(state, file, importer.JSONL, "elsewhere")
		},
		"format": func() (*importer.Checkpoint, error) {
			return importer.OpenCheckpoint(state, file, importer.CSV, "server")
		},
		"no state": func() (*importer.Checkpoint, error) {
			return importer.OpenCheckpoint(file, file, importer.JSONL, "server")
		},
	} {
		if _, err := other(); err == nil {
			t.Errorf("the state is taken for one of another %s", name)
		}
	}
	if err := errors.Join(again.Remove(), again.Remove()); err != nil {
		t.Error(err)
	}
	o.Skip = 1000
	if _, err := importer.Deliver(t.Context(), client, source(t, text), o); err == nil {
		t.Error("more events are left out than there are")
	}
}

func TestDeliverEnds(t *testing.T) {
	d := &door{kept: map[string]int{}, breaks: map[int]error{3: status.Error(codes.InvalidArgument, "no")}}
	report, err := importer.Deliver(t.Context(), open(t, d), source(t, lines(100, 0)), options())
	if status.Code(err) != codes.InvalidArgument || report.Accepted.Events != 14 {
		t.Errorf("an error that no new try mends: %v, %+v", err, report.Accepted)
	}

	d = &door{kept: map[string]int{}, breaks: map[int]error{3: status.Error(codes.Unavailable, "gone")}}
	o := options()
	o.Patience = 0
	if _, err := importer.Deliver(t.Context(), open(t, d), source(t, lines(100, 0)), o); status.Code(err) != codes.Unavailable {
		t.Errorf("without patience: %v", err)
	}

	ctx, cancel := context.WithCancel(t.Context())
	o = options()
	o.Acked = func(*importer.Report) error { cancel(); return nil }
	d = &door{kept: map[string]int{}}
	if _, err := importer.Deliver(ctx, open(t, d), source(t, lines(100_000, 0)), o); !errors.Is(err, context.Canceled) {
		t.Errorf("after the end of the context: %v", err)
	}
}
