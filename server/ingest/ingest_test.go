package ingest_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	attunev1 "github.com/attune-shop/attune/gen/attune/v1"
	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/server/ingest"
	"github.com/attune-shop/attune/store"
	"github.com/attune-shop/attune/store/history"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var noon = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

// memory is a history and its dead letters in memory.
type memory struct {
	mu      sync.Mutex
	events  map[string]event.Event
	letters []store.DeadLetter
	fail    error
	// hold, where set, is received from before each write.
	hold chan struct{}
}

func (m *memory) Write(_ context.Context, events []event.Event) ([]history.Outcome, error) {
	if m.hold != nil {
		<-m.hold
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fail != nil {
		return nil, m.fail
	}
	out := make([]history.Outcome, len(events))
	for i, e := range events {
		key := string(e.Visitor()) + "/" + e.ID
		_, known := m.events[key]
		switch {
		case e.UserID == "full":
			out[i] = history.Full
		case known:
			out[i] = history.Duplicate
		default:
			out[i], m.events[key] = history.Accepted, e
		}
	}
	return out, nil
}

func (m *memory) PutRejected(_ context.Context, letters []store.DeadLetter) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, l := range letters {
		l.ID = fmt.Sprintf("%06d", len(m.letters))
		m.letters = append(m.letters, l)
	}
	return m.fail
}

func (m *memory) RejectedLetters(_ context.Context, after string, limit int) ([]store.DeadLetter, error) {
	var out []store.DeadLetter
	for _, l := range m.letters {
		if l.ID > after && len(out) < limit {
			out = append(out, l)
		}
	}
	return out, nil
}

func (m *memory) RejectedLetter(_ context.Context, id string) (store.DeadLetter, error) {
	for _, l := range m.letters {
		if l.ID == id {
			return l, nil
		}
	}
	return store.DeadLetter{}, event.ErrNotFound
}

func (m *memory) DeleteRejected(_ context.Context, ids []string) error {
	var left []store.DeadLetter
	for _, l := range m.letters {
		gone := false
		for _, id := range ids {
			gone = gone || id == l.ID
		}
		if !gone {
			left = append(left, l)
		}
	}
	m.letters = left
	return nil
}

func open(t testing.TB) (*ingest.Service, *memory) {
	t.Helper()
	m := &memory{events: map[string]event.Event{}}
	s := ingest.New(ingest.Options{History: m, Rejected: m, Now: func() time.Time { return noon }, RetentionMonths: 24})
	t.Cleanup(s.Close)
	return s, m
}

func view(id string) *attunev1.Event {
	return &attunev1.Event{EventId: id, Type: "view_item", UserId: "anna", ItemId: "lamp", OccurredAt: timestamppb.New(noon)}
}

func changed(id string, change func(*attunev1.Event)) *attunev1.Event {
	e := view(id)
	change(e)
	return e
}

// bad are events that are not valid, each with the field that must be named.
func bad() []struct {
	name, field string
	event       *attunev1.Event
} {
	long := strings.Repeat("x", 10_000)
	big := &structpb.Struct{Fields: map[string]*structpb.Value{"x": structpb.NewStringValue(strings.Repeat("x", 10<<20))}}
	lines := func(lines ...*attunev1.Line) func(*attunev1.Event) {
		return func(e *attunev1.Event) { e.Type, e.Lines = "purchase", lines }
	}
	money := func(code string, minor int64) *attunev1.Money {
		return &attunev1.Money{CurrencyCode: code, MinorUnits: minor}
	}
	return []struct {
		name, field string
		event       *attunev1.Event
	}{
		{"empty type", "type", changed("b", func(e *attunev1.Event) { e.Type = "" })},
		{"nobody", "user_id", changed("b", func(e *attunev1.Event) { e.UserId = "" })},
		{"long user", "user_id", changed("b", func(e *attunev1.Event) { e.UserId = long })},
		{"long id", "event_id", changed(long, func(*attunev1.Event) {})},
		{"no id, no time", "event_id", changed("", func(e *attunev1.Event) { e.OccurredAt = nil })},
		{"not UTF-8", "item_id", changed("b", func(e *attunev1.Event) { e.ItemId = "\xff" })},
		{"id not UTF-8", "event_id", changed("\xff", func(*attunev1.Event) {})},
		{"unknown currency", "value.currency_code", changed("b", func(e *attunev1.Event) { e.Value = money("XXY", 1) })},
		{"negative", "value.minor_units", changed("b", func(e *attunev1.Event) { e.Value = money("EUR", -1) })},
		{"overflow", "lines[0].price.minor_units", changed("b", lines(&attunev1.Line{ItemId: "a", Quantity: proto.Int64(1000), Price: money("EUR", math.MaxInt64)}))},
		{"no lines", "lines", changed("b", lines())},
		{"year 1", "occurred_at", changed("b", func(e *attunev1.Event) { e.OccurredAt = timestamppb.New(time.Time{}) })},
		{"year 3000", "occurred_at", changed("b", func(e *attunev1.Event) { e.OccurredAt = timestamppb.New(noon.AddDate(974, 0, 0)) })},
		{"expired", "occurred_at", changed("b", func(e *attunev1.Event) { e.OccurredAt = timestamppb.New(noon.AddDate(-3, 0, 0)) })},
		{"10 MB of attributes", "attributes", changed("b", func(e *attunev1.Event) { e.Attributes = big })},
		{"no room", "user_id", changed("b", func(e *attunev1.Event) { e.UserId = "full" })},
		{"nothing", "event_id", nil},
	}
}

func TestABadEventDoesNotKeepOutItsNeighbours(t *testing.T) {
	for _, tc := range bad() {
		s, m := open(t)
		response, err := s.Write(t.Context(), &attunev1.WriteRequest{Events: []*attunev1.Event{view("before"), tc.event, view("after"), view("before")}})
		if err != nil {
			t.Errorf("%s: %v", tc.name, err)
			continue
		}
		var got []attunev1.EventStatus
		for _, r := range response.GetResults() {
			got = append(got, r.GetStatus())
		}
		want := []attunev1.EventStatus{attunev1.EventStatus_ACCEPTED, attunev1.EventStatus_REJECTED, attunev1.EventStatus_ACCEPTED, attunev1.EventStatus_DUPLICATE}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", tc.name, diff)
			continue
		}
		if v := response.GetResults()[1].GetViolations(); v[0].GetField() != tc.field {
			t.Errorf("%s: %v, want %s named", tc.name, v, tc.field)
		}
		if len(m.letters) != 1 || len(m.events) != 2 {
			t.Errorf("%s: %d letters, %d events", tc.name, len(m.letters), len(m.events))
		}
		kept := &attunev1.Event{}
		if err := proto.Unmarshal(m.letters[0].Data, kept); err != nil || tc.event != nil && !proto.Equal(kept, tc.event) {
			t.Errorf("%s: not kept as it came: %v", tc.name, err)
		}
		page, err := s.ListRejected(t.Context(), &attunev1.ListRejectedRequest{})
		if err != nil || len(page.GetRejectedEvents()) != 1 || page.GetRejectedEvents()[0].GetViolations()[0].GetField() != tc.field {
			t.Errorf("%s: listed %v, %v", tc.name, page, err)
		} else if _, err := (proto.MarshalOptions{}).Marshal(page); err != nil || proto.Size(page) > 4<<20 {
			t.Errorf("%s: the page cannot be sent: %d bytes, %v", tc.name, proto.Size(page), err)
		}
	}
}

func TestWriteCompletesEvents(t *testing.T) {
	s, m := open(t)
	e := changed("", func(e *attunev1.Event) {
		e.Type, e.ItemId, e.Lines = "Order Completed", "", []*attunev1.Line{{ItemId: "lamp", Price: &attunev1.Money{CurrencyCode: "EUR", MinorUnits: 5}}}
	})
	response, err := s.Write(t.Context(), &attunev1.WriteRequest{Events: []*attunev1.Event{e, e}})
	if err != nil {
		t.Fatal(err)
	}
	id := response.GetResults()[0].GetEventId()
	stored := m.events["uanna/"+id]
	if id == "" || stored.Type != event.Purchase || stored.Value != (event.Money{Currency: "EUR", Minor: 5}) || !stored.ReceivedAt.Equal(noon) {
		t.Errorf("stored %+v", stored)
	}
	if response.GetResults()[1].GetStatus() != attunev1.EventStatus_DUPLICATE {
		t.Error("the same event without an id is no duplicate")
	}
}

func TestRequestsThatFail(t *testing.T) {
	s, m := open(t)
	var invalid *event.InvalidError
	_, err := s.Write(t.Context(), &attunev1.WriteRequest{Events: make([]*attunev1.Event, 10_001)})
	if !errors.As(err, &invalid) || invalid.Violations[0].Field != "events" {
		t.Error(err)
	}
	if _, err := s.Write(t.Context(), &attunev1.WriteRequest{}); err != nil {
		t.Error(err)
	}
	m.fail = event.ErrUnavailable
	for _, e := range []*attunev1.Event{view("a"), {}} {
		if _, err := s.Write(t.Context(), &attunev1.WriteRequest{Events: []*attunev1.Event{e}}); !errors.Is(err, event.ErrUnavailable) {
			t.Error(err)
		}
	}
}

func TestReplay(t *testing.T) {
	s, m := open(t)
	write := func(events ...*attunev1.Event) {
		t.Helper()
		if _, err := s.Write(t.Context(), &attunev1.WriteRequest{Events: events}); err != nil {
			t.Fatal(err)
		}
	}
	replay := func(request *attunev1.ReplayRejectedRequest, accepted, duplicate, rejected int64) {
		t.Helper()
		got, err := s.ReplayRejected(t.Context(), request)
		if err != nil || got.GetAccepted() != accepted || got.GetDuplicate() != duplicate || got.GetRejected() != rejected {
			t.Errorf("replay: %v, %v", got, err)
		}
	}
	write(view("there"))
	for n := range 250 {
		write(changed(fmt.Sprint("e", n), func(e *attunev1.Event) { e.ItemId = "" }))
	}
	replay(&attunev1.ReplayRejectedRequest{}, 0, 0, 250)
	replay(&attunev1.ReplayRejectedRequest{RejectedIds: []string{"000007", "000007"}}, 0, 0, 1)
	replay(&attunev1.ReplayRejectedRequest{RejectedIds: []string{"000003"}, Repairs: []*attunev1.Repair{
		{RejectedId: "000001", Event: view("e1")}, {RejectedId: "000002", Event: view("there")},
	}}, 1, 1, 1)
	if len(m.letters) != 248 {
		t.Errorf("%d letters left", len(m.letters))
	}
	for _, tc := range []struct {
		field   string
		request *attunev1.ReplayRejectedRequest
	}{
		{"repairs[0].event", &attunev1.ReplayRejectedRequest{Repairs: []*attunev1.Repair{{RejectedId: "000003"}}}},
		{"repairs[1].rejected_id", &attunev1.ReplayRejectedRequest{Repairs: []*attunev1.Repair{{RejectedId: "3", Event: view("a")}, {RejectedId: "3", Event: view("a")}}}},
		{"rejected_ids", &attunev1.ReplayRejectedRequest{RejectedIds: make([]string, 10_001)}},
		{"repairs", &attunev1.ReplayRejectedRequest{Repairs: make([]*attunev1.Repair, 10_001)}},
	} {
		var invalid *event.InvalidError
		if _, err := s.ReplayRejected(t.Context(), tc.request); !errors.As(err, &invalid) || invalid.Violations[0].Field != tc.field {
			t.Errorf("%s: %v", tc.field, err)
		}
	}
	if _, err := s.ReplayRejected(t.Context(), &attunev1.ReplayRejectedRequest{RejectedIds: []string{"x"}}); !errors.Is(err, event.ErrNotFound) {
		t.Error(err)
	}
	listed := 0
	request := &attunev1.ListRejectedRequest{PageSize: 50}
	for {
		page, err := s.ListRejected(t.Context(), request)
		if err != nil {
			t.Fatal(err)
		}
		listed += len(page.GetRejectedEvents())
		if request.PageToken = page.GetNextPageToken(); request.PageToken == "" {
			break
		}
	}
	if listed != 248 {
		t.Errorf("%d listed", listed)
	}
}

// streaming is a stream whose client sends what comes through in.
type streaming struct {
	grpc.ServerStream
	ctx context.Context
	in  chan *attunev1.StreamRequest
	out chan *attunev1.StreamResponse
}

func (s *streaming) Context() context.Context { return s.ctx }
func (s *streaming) Recv() (*attunev1.StreamRequest, error) {
	select {
	case r, more := <-s.in:
		if !more {
			return nil, io.EOF
		}
		return r, nil
	case <-s.ctx.Done():
		return nil, s.ctx.Err()
	}
}
func (s *streaming) Send(r *attunev1.StreamResponse) error { s.out <- r; return nil }

func dial(t *testing.T, s *ingest.Service) (*streaming, chan error) {
	ctx, cancel := context.WithCancel(t.Context())
	stream := &streaming{ctx: ctx, in: make(chan *attunev1.StreamRequest, 100), out: make(chan *attunev1.StreamResponse, 100)}
	ended := make(chan error, 1)
	go func() { err := s.Stream(stream); cancel(); ended <- err }()
	return stream, ended
}

func TestStreamAnswersInOrder(t *testing.T) {
	s, m := open(t)
	stream, ended := dial(t, s)
	for n := range 60 {
		stream.in <- &attunev1.StreamRequest{BatchId: fmt.Sprint(n), Events: []*attunev1.Event{view(fmt.Sprint(n)), {EventId: "bad"}}}
	}
	close(stream.in)
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	for n := range 60 {
		r := <-stream.out
		if r.GetBatchId() != fmt.Sprint(n) || r.GetResults()[0].GetStatus() != attunev1.EventStatus_ACCEPTED || r.GetResults()[1].GetStatus() != attunev1.EventStatus_REJECTED {
			t.Fatalf("answer %d: %v", n, r)
		}
	}
	if len(m.events) != 60 || len(m.letters) != 60 {
		t.Errorf("%d events, %d letters", len(m.events), len(m.letters))
	}
}

func TestStreamEndsWithAFailedBatch(t *testing.T) {
	s, m := open(t)
	m.fail = event.ErrExhausted
	stream, ended := dial(t, s)
	stream.in <- &attunev1.StreamRequest{Events: []*attunev1.Event{view("a")}}
	if err := <-ended; !errors.Is(err, event.ErrExhausted) {
		t.Error(err)
	}
	stream, ended = dial(t, s)
	stream.in <- &attunev1.StreamRequest{Events: make([]*attunev1.Event, 10_001)}
	var invalid *event.InvalidError
	if err := <-ended; !errors.As(err, &invalid) {
		t.Error(err)
	}
}

// TestDrainAnswersWhatWasTakenIn: a stream that ends with the server has answered every
// batch that it wrote, or says that it did not.
func TestDrainAnswersWhatWasTakenIn(t *testing.T) {
	s, m := open(t)
	m.hold = make(chan struct{})
	stream, ended := dial(t, s)
	stream.in <- &attunev1.StreamRequest{BatchId: "1", Events: []*attunev1.Event{view("a")}}
	m.hold <- struct{}{}
	if r := <-stream.out; r.GetBatchId() != "1" {
		t.Error(r)
	}
	s.Drain()
	if err := <-ended; !errors.Is(err, event.ErrUnavailable) {
		t.Error(err)
	}
}
