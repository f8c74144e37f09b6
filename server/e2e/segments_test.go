package e2e_test

import (
	"bufio"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	attunev1 "github.com/attune-shop/attune/gen/attune/v1"
	"github.com/attune-shop/attune/server"
)

// segment defines a segment and waits until everybody was asked for it.
func (s *shop) segment(id, rule string) {
	s.t.Helper()
	client := attunev1.NewSegmentServiceClient(s.conn)
	made, err := client.CreateSegment(s.t.Context(), &attunev1.CreateSegmentRequest{SegmentId: id, Rule: rule})
	for ; err == nil && made.GetState() != attunev1.SegmentState_READY; time.Sleep(10 * time.Millisecond) {
		made, err = client.GetSegment(s.t.Context(), &attunev1.GetSegmentRequest{SegmentId: id})
	}
	if err != nil {
		s.t.Fatalf("segment %s: %v", id, err)
	}
}

// firstLine returns the first line of an answer that has no end.
func (s *shop) firstLine(path string) string {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), 10*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.server.HTTPAddr()+path, http.NoBody)
	if err != nil {
		s.t.Fatal(err)
	}
	response, err := s.http.Do(request)
	if err != nil {
		s.t.Fatal(err)
	}
	defer response.Body.Close()
	line, err := bufio.NewReader(response.Body).ReadString('\n')
	if err != nil {
		s.t.Errorf("GET %s: %v", path, err)
	}
	return line
}

// TestSegments takes a segment from its definition over its members, files of them, checks, another
// rule and lists by it to its end.
func TestSegments(t *testing.T) { everywhere(t, testSegments) }

func testSegments(t *testing.T, where server.StoreConfig) {
	s := open(t, where)
	s.fill()
	s.segment("buyers", "event_counts['purchase'] > 0")
	var found struct {
		Size  string
		State string
	}
	s.get("/v1/segments/buyers", &found)
	if found.Size != "1" || found.State != "READY" {
		t.Errorf("%+v", found)
	}
	var page struct {
		Members []struct {
			UserID string `json:"user_id"`
		}
		NextPageToken string `json:"next_page_token"`
	}
	s.get("/v1/segments/buyers/members", &page)
	if len(page.Members) != 1 || page.Members[0].UserID != "user-1" || page.NextPageToken != "" {
		t.Errorf("members %+v", page)
	}
	s.segment("everybody", "last_seen.age > duration('-1h')")
	if members := s.exported("/v1/segments/everybody/members:export", "application/x-ndjson", ""); len(members) != 40 {
		t.Errorf("%d members in NDJSON", len(members))
	}
	if members := s.exported("/v1/segments/everybody/members:export", "text/csv", "gzip"); len(members) != 41 || members[0] != "user_id" {
		t.Errorf("%d members in CSV, beginning with %v", len(members), members[:1])
	}

	client := attunev1.NewSegmentServiceClient(s.conn)
	checked, err := client.CheckMembership(t.Context(), &attunev1.CheckMembershipRequest{UserIds: []string{"user-1", "user-2", "nobody"}, AnonymousIds: []string{"cookie"}})
	if err != nil {
		t.Fatal(err)
	}
	var in []string
	for _, m := range checked.GetMemberships() {
		in = append(in, fmt.Sprint(m.GetUserId(), m.GetAnonymousId(), m.GetSegmentIds()))
	}
	if want := []string{"user-1[buyers everybody]", "user-2[everybody]", "nobody[]", "cookie[buyers everybody]"}; !slices.Equal(in, want) {
		t.Errorf("checked %v", in)
	}

	var list struct{ Items []struct{} }
	for rule, want := range map[string]int{"'buyers' in user.segments": 5, "!('buyers' in user.segments)": 0} {
		code, data := s.call(http.MethodPost, "/v1/recommendations", fmt.Sprintf(`{"user_id":"user-1","limit":5,"filter":%q}`, rule))
		if err := json.Unmarshal(data, &list); code != http.StatusOK || err != nil || len(list.Items) != want {
			t.Errorf("%s: %d items, want %d: %d %s", rule, len(list.Items), want, code, data)
		}
	}

	watching, stop := context.WithTimeout(t.Context(), 30*time.Second)
	defer stop()
	stream, err := client.WatchSegment(watching, &attunev1.WatchSegmentRequest{SegmentId: "buyers"})
	if err != nil {
		t.Fatal(err)
	}
	expect := func(want ...string) {
		t.Helper()
		var got []string
		for len(got) < len(want) {
			response, err := stream.Recv()
			if err != nil {
				t.Fatalf("watched %v, want %v: %v", got, want, err)
			}
			for _, c := range response.GetChanges() {
				got = append(got, fmt.Sprint(c.GetType(), " ", c.GetUserId()))
			}
		}
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("watched %v, want %v", got, want)
		}
	}
	expect("MEMBER user-1")
	if _, err := s.events.Write(t.Context(), &attunev1.WriteRequest{Events: []*attunev1.Event{purchase("p3", "user-7", "item-2")}}); err != nil {
		t.Fatal(err)
	}
	expect("ENTERED user-7")
	rule := "event_counts['purchase'] > 1 || user_id == 'user-9'"
	if _, err := client.UpdateSegment(t.Context(), &attunev1.UpdateSegmentRequest{SegmentId: "buyers", Rule: &rule}); err != nil {
		t.Fatal(err)
	}
	expect("ENTERED user-9", "LEFT user-7")
	if _, err := client.DeleteSegment(t.Context(), &attunev1.DeleteSegmentRequest{SegmentId: "buyers"}); err != nil {
		t.Fatal(err)
	}
	for err == nil {
		_, err = stream.Recv()
	}
	if status.Code(err) != codes.NotFound {
		t.Errorf("the watch of a deleted segment ends with %v", err)
	}
}

// exported returns the lines of a file of members.
func (s *shop) exported(path, accept, encoding string) []string {
	s.t.Helper()
	request, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, "http://"+s.server.HTTPAddr()+path, http.NoBody)
	if err != nil {
		s.t.Fatal(err)
	}
	request.Header.Set("Accept", accept)
	request.Header.Set("Accept-Encoding", encoding)
	response, err := s.http.Do(request)
	if err != nil {
		s.t.Fatal(err)
	}
	defer response.Body.Close()
	body := io.Reader(response.Body)
	if encoding == "gzip" {
		if body, err = gzip.NewReader(body); err != nil {
			s.t.Fatal(err)
		}
	}
	data, err := io.ReadAll(body)
	if err != nil || !strings.HasPrefix(response.Header.Get("Content-Type"), accept) {
		s.t.Errorf("GET %s: %s, %v", path, response.Header.Get("Content-Type"), err)
	}
	return strings.Fields(string(data))
}

// TestBadSegments: each mistake is refused with its field named.
func TestBadSegments(t *testing.T) {
	s := open(t, server.StoreConfig{Data: t.TempDir()})
	s.segment("there", "true")
	client := attunev1.NewSegmentServiceClient(s.conn)
	create := func(r *attunev1.CreateSegmentRequest) error {
		_, err := client.CreateSegment(t.Context(), r)
		return err
	}
	rule := func(text string) error {
		return create(&attunev1.CreateSegmentRequest{SegmentId: "new", Rule: text})
	}
	for _, tc := range []struct {
		name  string
		err   error
		field string
		words string
	}{
		{"syntax", rule("purchases.d30 >="), "rule", "line 1"},
		{"an unknown field", rule("purchase.d30 >= 2"), "rule", "undeclared reference to 'purchase'"},
		{"an unknown part", rule("purchases.d31 >= 2"), "rule", "undefined field 'd31'"},
		{"a wrong type", rule("purchases.d30 >= 'two'"), "rule", "no matching overload"},
		{"not a truth value", rule("purchases.d30"), "rule", "bool"},
		{"a rule of segments", rule("'there' in segments"), "rule", "undeclared reference to 'segments'"},
		{"unbounded cost", rule("recent_items.all(a, recent_items.all(b, recent_items.all(c, a.item_id != b.item_id + c.item_id)))"), "rule", "cost"},
		{"a long text", rule("user_id == '" + strings.Repeat("x", 10_000) + "'"), "rule", "at most"},
		{"no rule", rule(""), "rule", "must be given"},
		{"an id with a space", create(&attunev1.CreateSegmentRequest{SegmentId: "a b", Rule: "true"}), "segment_id", "letters"},
		{"an unknown template", create(&attunev1.CreateSegmentRequest{SegmentId: "new", Template: &attunev1.RuleTemplate{Name: "best"}}), "template.name", "templates"},
		{"two rules", create(&attunev1.CreateSegmentRequest{SegmentId: "new", Rule: "true", Template: &attunev1.RuleTemplate{Name: "new"}}), "rule", "not both"},
		{"a check of nobody", second(client.CheckMembership(t.Context(), &attunev1.CheckMembershipRequest{})), "user_ids", "1 to 1000"},
		{"a check for no segment", second(client.CheckMembership(t.Context(), &attunev1.CheckMembershipRequest{UserIds: []string{"a"}, SegmentIds: []string{"none"}})), "segment_ids[0]", "none"},
		{"a scale that falls", second(client.SetScale(t.Context(), &attunev1.SetScaleRequest{Scale: &attunev1.Scale{
			RecencyDays: []int64{9, 8, 7, 6}, Frequency: []int64{1, 2, 3, 4}, MonetaryMinorUnits: []int64{1, 2, 3, 4},
		}})), "scale.recency_days[1]", "no step"},
		{"a scale of nobody", second(client.SetScale(t.Context(), &attunev1.SetScaleRequest{FromBuyersCurrencyCode: "EUR"})), "from_buyers_currency_code", "nobody"},
		{"a page token of another list", second(client.ListMembers(t.Context(), &attunev1.ListMembersRequest{SegmentId: "there", PageToken: "abc"})), "page_token", ""},
	} {
		st := status.Convert(tc.err)
		var fields, rules []string
		for _, detail := range st.Details() {
			if bad, ok := detail.(*errdetails.BadRequest); ok {
				for _, v := range bad.GetFieldViolations() {
					fields, rules = append(fields, v.GetField()), append(rules, v.GetDescription())
				}
			}
		}
		if st.Code() != codes.InvalidArgument || !slices.Contains(fields, tc.field) || !strings.Contains(strings.Join(rules, " "), tc.words) {
			t.Errorf("%s: %v, fields %v, rules %q", tc.name, st.Err(), fields, rules)
		}
	}
	if err := create(&attunev1.CreateSegmentRequest{SegmentId: "there", Rule: "true"}); status.Code(err) != codes.AlreadyExists {
		t.Errorf("a second one of the same id: %v", err)
	}
	for name, err := range map[string]error{
		"get":    second(client.GetSegment(t.Context(), &attunev1.GetSegmentRequest{SegmentId: "none"})),
		"delete": second(client.DeleteSegment(t.Context(), &attunev1.DeleteSegmentRequest{SegmentId: "none"})),
		"update": second(client.UpdateSegment(t.Context(), &attunev1.UpdateSegmentRequest{SegmentId: "none"})),
	} {
		if status.Code(err) != codes.NotFound {
			t.Errorf("%s of one that is not there: %v", name, err)
		}
	}
}

// TestDefinitionsAreBounded: what all segments take together is, and what one check asks of them; who is at the
// bound can still delete.
func TestDefinitionsAreBounded(t *testing.T) {
	s := open(t, server.StoreConfig{Data: t.TempDir()})
	client := attunev1.NewSegmentServiceClient(s.conn)
	long, n := strings.Repeat("x", 4<<10), 0
	var err error
	for ; err == nil && n < 200; n++ {
		_, err = client.CreateSegment(t.Context(), &attunev1.CreateSegmentRequest{
			SegmentId: fmt.Sprint("segment-", n), Description: long, Rule: "false" + strings.Repeat(" ", 4<<10-5),
		})
	}
	if status.Code(err) != codes.InvalidArgument || !strings.Contains(err.Error(), "rule: all segments together") || n < 100 {
		t.Fatalf("after %d: %v", n, err)
	}
	many := &attunev1.CheckMembershipRequest{}
	for n := range 1_000 {
		many.UserIds = append(many.UserIds, fmt.Sprint("user-", n))
	}
	if _, err := client.CheckMembership(t.Context(), many); status.Code(err) != codes.InvalidArgument || !strings.Contains(err.Error(), "name fewer") {
		t.Errorf("a check of 1,000 users for all: %v", err)
	}
	if _, err := client.DeleteSegment(t.Context(), &attunev1.DeleteSegmentRequest{SegmentId: "segment-7"}); err != nil {
		t.Error(err)
	}
	if _, err := client.CreateSegment(t.Context(), &attunev1.CreateSegmentRequest{SegmentId: "small", Rule: "false"}); err != nil {
		t.Error(err)
	}
}
