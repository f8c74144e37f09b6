package e2e_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	attunev1 "github.com/attune-shop/attune/gen/attune/v1"
	"github.com/attune-shop/attune/server"
)

// tastes writes what 60 users did who had a look at shades and bought a lamp ("buyer"), as many who had a look
// at shades only ("alike"), and twice as many who had one at rugs ("other").
func (s *shop) tastes() {
	s.t.Helper()
	var events []*attunev1.Event
	for u := range 240 {
		var did []*attunev1.Event
		look := func(user string, items ...string) {
			for _, item := range items {
				did = append(did, view("taste-"+item, user, item))
			}
		}
		switch {
		case u < 60:
			user := fmt.Sprint("buyer-", u)
			look(user, "shade-1", "shade-2")
			did = append(did, purchase("taste-lamp", user, "lamp"))
		case u < 120:
			look(fmt.Sprint("alike-", u), "shade-1", "shade-2")
		default:
			look(fmt.Sprint("other-", u), "rug-1", "rug-2")
		}
		for n, e := range did {
			e.OccurredAt = timestamppb.New(noon.Add(time.Duration(n-u-3) * time.Hour))
		}
		events = append(events, did...)
	}
	for chunk := range slices.Chunk(events, 500) {
		if _, err := s.events.Write(s.t.Context(), &attunev1.WriteRequest{Events: chunk}); err != nil {
			s.t.Fatal(err)
		}
	}
}

// learnLookalikes learns once nobody else does: the server does so by itself, too.
func (s *shop) learnLookalikes(id string) *attunev1.LookalikesModel {
	s.t.Helper()
	client := attunev1.NewSegmentServiceClient(s.conn)
	for {
		learned, err := client.LearnLookalikes(s.t.Context(), &attunev1.LearnLookalikesRequest{SegmentId: id})
		switch {
		case err == nil:
			return learned
		case status.Code(err) != codes.Aborted:
			s.t.Fatal(err)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// lookalikes is the ready-made rule.
func lookalikes(id string, size float64) *attunev1.RuleTemplate {
	return &attunev1.RuleTemplate{Name: "lookalikes", Parameters: map[string]*structpb.Value{
		"segment_id": structpb.NewStringValue(id), "size": structpb.NewNumberValue(size),
	}}
}

// alike tells whether a user is in the segment "alikes" now.
func (s *shop) alike(user string) bool {
	s.t.Helper()
	checked, err := attunev1.NewSegmentServiceClient(s.conn).CheckMembership(s.t.Context(), &attunev1.CheckMembershipRequest{UserIds: []string{user}, SegmentIds: []string{"alikes"}})
	if err != nil {
		s.t.Fatal(err)
	}
	return len(checked.GetMemberships()[0].GetSegmentIds()) == 1
}

// members waits until a segment has so many members that all are of one kind.
func (s *shop) members(id, who string, size int64) {
	s.t.Helper()
	client := attunev1.NewSegmentServiceClient(s.conn)
	follows(s.t, fmt.Sprint(size, " members of ", id), func() bool {
		found, err := client.GetSegment(s.t.Context(), &attunev1.GetSegmentRequest{SegmentId: id})
		return err == nil && found.GetState() == attunev1.SegmentState_READY && found.GetSize() == size
	})
	listed, err := client.ListMembers(s.t.Context(), &attunev1.ListMembersRequest{SegmentId: id, PageSize: 1000})
	if err != nil || int64(len(listed.GetMembers())) != size {
		s.t.Errorf("%d members of %s, want %d: %v", len(listed.GetMembers()), id, size, err)
	}
	for _, m := range listed.GetMembers() {
		if !strings.HasPrefix(m.GetUserId(), who) {
			s.t.Errorf("%s is in %s", m.GetUserId(), id)
		}
	}
}

// TestLookalikes finds who is like the buyers of lamps: not from nothing, then as many as are asked for, none of
// whom bought one, and lets them in and out as they look and buy.
func TestLookalikes(t *testing.T) { everywhere(t, testLookalikes) }

func testLookalikes(t *testing.T, where server.StoreConfig) {
	s := open(t, where)
	client := attunev1.NewSegmentServiceClient(s.conn)
	s.segment("lamps", "purchases.all > 0")
	preview := func() (*attunev1.PreviewSegmentResponse, error) {
		return client.PreviewSegment(t.Context(), &attunev1.PreviewSegmentRequest{Template: lookalikes("lamps", 60)})
	}
	if err := second(client.LearnLookalikes(t.Context(), &attunev1.LearnLookalikesRequest{SegmentId: "lamps"})); status.Code(err) != codes.FailedPrecondition || !strings.Contains(err.Error(), "0 members and 0 others have an interest in items; it takes 50 of both") {
		t.Errorf("from nothing: %v", err)
	}
	if err := second(client.GetLookalikesModel(t.Context(), &attunev1.GetLookalikesModelRequest{SegmentId: "lamps"})); status.Code(err) != codes.NotFound {
		t.Errorf("the model of nothing: %v", err)
	}
	if err := second(preview()); status.Code(err) != codes.FailedPrecondition || !strings.Contains(err.Error(), "LearnLookalikes") {
		t.Errorf("a preview by nothing: %v", err)
	}

	s.tastes()
	first := s.learnLookalikes("lamps")
	if first.GetVersion() != 1 || first.GetSegmentId() != "lamps" || first.GetMembers() != 60 || first.GetOthers() != 180 ||
		first.GetHeldOutMembers() != 30 || first.GetHeldOutOthers() != 90 || first.GetAuc().GetValue() < .99 ||
		first.GetActivityAuc().GetValue() == 0 || len(first.GetItems()) == 0 || first.GetItems()[0].GetOfMembers() != 1 || !first.GetLearnedAt().AsTime().After(noon) {
		t.Errorf("learned %v", first)
	}
	found, err := client.GetLookalikesModel(t.Context(), &attunev1.GetLookalikesModelRequest{SegmentId: "lamps"})
	if err != nil || !proto.Equal(found, first) {
		t.Errorf("found %v: %v", found, err)
	}
	if previewed, err := preview(); err != nil || previewed.GetMembers() != 60 {
		t.Errorf("a preview finds %v: %v", previewed, err)
	}
	if _, err := client.CreateSegment(t.Context(), &attunev1.CreateSegmentRequest{SegmentId: "alikes", Template: lookalikes("lamps", 60)}); err != nil {
		t.Fatal(err)
	}
	s.segment("third", "likeness['lamps'] >= 0.66")
	s.members("alikes", "alike", 60)
	s.members("third", "alike", 60)

	write := func(events ...*attunev1.Event) {
		t.Helper()
		if _, err := s.events.Write(t.Context(), &attunev1.WriteRequest{Events: events}); err != nil {
			t.Fatal(err)
		}
	}
	write(purchase("buys", "alike-60", "lamp"))
	if s.alike("alike-60") || !s.alike("alike-61") {
		t.Error("who buys a lamp is like those who did")
	}
	s.members("alikes", "alike", 59)
	write(view("looks-1", "alike-new", "shade-1"), view("looks-2", "alike-new", "shade-2"))
	s.members("alikes", "alike", 60)

	// By another rule of the seed its members are others, and what they are like is learned anew.
	rule := "event_counts['view_item'] > 0 && 'rug-1' in recent_items.map(r, r.item_id)"
	if _, err := client.UpdateSegment(t.Context(), &attunev1.UpdateSegmentRequest{SegmentId: "lamps", Rule: &rule}); err != nil {
		t.Fatal(err)
	}
	follows(t, "the seed's new rule", func() bool {
		found, err := client.GetLookalikesModel(t.Context(), &attunev1.GetLookalikesModelRequest{SegmentId: "lamps"})
		return err == nil && found.GetVersion() >= 2 && found.GetMembers() == 120 && found.GetOthers() == 121
	})
	s.members("third", "nobody", 0)
}

// TestLookalikesAreLearnedUnasked: the first segment that reads likeness has it learned, and another start
// finds what was learned.
func TestLookalikesAreLearnedUnasked(t *testing.T) {
	where := folder(t.TempDir())
	s := open(t, where)
	s.tastes()
	s.segment("lamps", "purchases.all > 0")
	s.segment("alikes", "likeness_rank['lamps'] <= 60")
	check := func(s *shop) {
		t.Helper()
		s.members("alikes", "alike", 60)
		found, err := attunev1.NewSegmentServiceClient(s.conn).GetLookalikesModel(t.Context(), &attunev1.GetLookalikesModelRequest{SegmentId: "lamps"})
		if err != nil || found.GetVersion() != 1 {
			t.Errorf("learned %v: %v", found, err)
		}
	}
	check(s)
	s.close()
	s = open(t, where)
	if !s.alike("alike-61") {
		t.Error("what was learned is not known right after the start")
	}
	check(s)
}

// TestReplicasKnowLookalikes: whichever server learns, the others know.
func TestReplicasKnowLookalikes(t *testing.T) {
	where := keyspace(t)
	one, two := open(t, where), open(t, where)
	one.tastes()
	one.segment("lamps", "purchases.all > 0")
	one.segment("alikes", "likeness_rank['lamps'] <= 60")
	for _, s := range []*shop{one, two} {
		follows(t, "the lookalikes", func() bool {
			_, err := attunev1.NewSegmentServiceClient(s.conn).GetSegment(t.Context(), &attunev1.GetSegmentRequest{SegmentId: "alikes"})
			return err == nil && s.alike("alike-61")
		})
		s.members("alikes", "alike", 60)
	}
}

// TestSeedsOfLikeness: rules read likeness to other segments that do not, and these stay for as long.
func TestSeedsOfLikeness(t *testing.T) {
	s := open(t, folder(t.TempDir()))
	client := attunev1.NewSegmentServiceClient(s.conn)
	create := func(id, rule string) error {
		return second(client.CreateSegment(t.Context(), &attunev1.CreateSegmentRequest{SegmentId: id, Rule: rule}))
	}
	update := func(id, rule string) error {
		return second(client.UpdateSegment(t.Context(), &attunev1.UpdateSegmentRequest{SegmentId: id, Rule: &rule}))
	}
	s.segment("vip", "purchases.all > 9")
	s.segment("alikes", "likeness['vip'] > 0.9")
	for _, tc := range []struct {
		name  string
		err   error
		field string
		words string
	}{
		{"no segment", create("new", "likeness['none'] > 0.9"), "rule", `not a segment: "none"`},
		{"no segment in a template", second(client.CreateSegment(t.Context(), &attunev1.CreateSegmentRequest{SegmentId: "new", Template: lookalikes("none", 9)})), "template.parameters.segment_id", "not a segment"},
		{"a preview of none", second(client.PreviewSegment(t.Context(), &attunev1.PreviewSegmentRequest{Template: lookalikes("no such", 9)})), "template.parameters.segment_id", "not a segment"},
		{"a preview of a chain", second(client.PreviewSegment(t.Context(), &attunev1.PreviewSegmentRequest{Rule: "likeness['alikes'] > 0.9"})), "rule", "likeness itself"},
		{"a segment that is asked for when it is", create("new", "likeness[user_id] > 0.9"), "rule", "name the segment"},
		{"itself", update("alikes", "likeness['alikes'] > 0.9"), "rule", "the segment itself"},
		{"itself, when it is new", create("new", "likeness_rank['new'] < 9"), "rule", "the segment itself"},
		{"a chain", create("new", "likeness_rank['alikes'] < 9"), "rule", "reads likeness itself"},
		{"a chain from below", update("vip", "likeness['other'] > 0.9"), "rule", `"alikes" reads likeness to this`},
		{"learning of a chain", second(client.LearnLookalikes(t.Context(), &attunev1.LearnLookalikesRequest{SegmentId: "alikes"})), "segment_id", "reads likeness itself"},
	} {
		if st := status.Convert(tc.err); st.Code() != codes.InvalidArgument || firstField(st) != tc.field || !strings.Contains(st.Message(), tc.words) {
			t.Errorf("%s: %v of %s", tc.name, tc.err, firstField(st))
		}
	}
	remove := func(id string) error {
		return second(client.DeleteSegment(t.Context(), &attunev1.DeleteSegmentRequest{SegmentId: id}))
	}
	if err := remove("vip"); status.Code(err) != codes.FailedPrecondition || !strings.Contains(err.Error(), `"alikes" reads likeness to it`) {
		t.Errorf("the end of a seed: %v", err)
	}
	if err := second(client.LearnLookalikes(t.Context(), &attunev1.LearnLookalikesRequest{SegmentId: "none"})); status.Code(err) != codes.NotFound {
		t.Errorf("learning of none: %v", err)
	}
	for _, id := range []string{"alikes", "vip"} {
		if err := remove(id); err != nil {
			t.Errorf("the end of %s: %v", id, err)
		}
	}
}
