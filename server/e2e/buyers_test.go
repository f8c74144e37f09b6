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

// regulars writes ten weeks of history, in which everybody has a look every few days: 24 users who
// purchase each time ("regular"), twice as many who never do ("looker"), and some who purchase
// once, in another week each ("late").
func (s *shop) regulars(late int) {
	s.t.Helper()
	const regulars = 24
	var events []*attunev1.Event
	add := func(user string, n int, kind string, at time.Duration) {
		e := purchase(fmt.Sprint(kind, n), user, fmt.Sprint("item-", n%5))
		if kind == "view_item" {
			e = view(fmt.Sprint(kind, n), user, fmt.Sprint("item-", n%5))
		}
		e.OccurredAt = timestamppb.New(noon.Add(-at))
		events = append(events, e)
	}
	for u := range 3*regulars + late {
		user := fmt.Sprint("late-", u)
		switch {
		case u < regulars:
			user = fmt.Sprint("regular-", u)
		case u < 3*regulars:
			user = fmt.Sprint("looker-", u)
		}
		for n := range 20 {
			at := time.Duration(84*n+7*(u%12)+2) * time.Hour
			add(user, n, "view_item", at)
			if u < regulars || u >= 3*regulars && n == u%20 {
				add(user, n, "purchase", at-time.Hour)
			}
		}
	}
	for chunk := range slices.Chunk(events, 500) {
		if _, err := s.events.Write(s.t.Context(), &attunev1.WriteRequest{Events: chunk}); err != nil {
			s.t.Fatal(err)
		}
	}
}

func (s *shop) learnBuyers() *attunev1.BuyersModel {
	s.t.Helper()
	learned, err := attunev1.NewSegmentServiceClient(s.conn).LearnBuyers(s.t.Context(), &attunev1.LearnBuyersRequest{})
	if err != nil {
		s.t.Fatal(err)
	}
	return learned
}

// TestLikelyBuyers learns who will buy: not from nothing, then from a history, and from another one,
// and holds members of segments to what was learned last.
func TestLikelyBuyers(t *testing.T) { everywhere(t, testLikelyBuyers) }

func testLikelyBuyers(t *testing.T, where server.StoreConfig) {
	s := open(t, where)
	client := attunev1.NewSegmentServiceClient(s.conn)
	learn := func() error { return second(client.LearnBuyers(t.Context(), &attunev1.LearnBuyersRequest{})) }
	s.segment("likely", "likelihood.purchase_7d >= 0.5")
	s.segment("unlikely", "likelihood.purchase_7d < 0.01")
	err := learn()
	for ; status.Code(err) == codes.Aborted; err = learn() { // the server tries by itself, too
		time.Sleep(10 * time.Millisecond)
	}
	if status.Code(err) != codes.FailedPrecondition || !strings.Contains(err.Error(), "must be of 28") {
		t.Errorf("from nothing: %v", err)
	}
	if _, err := client.GetBuyersModel(t.Context(), &attunev1.GetBuyersModelRequest{}); status.Code(err) != codes.NotFound {
		t.Errorf("the model of nothing: %v", err)
	}

	watches := map[string]attunev1.SegmentService_WatchSegmentClient{}
	for _, id := range []string{"likely", "unlikely"} {
		if watches[id], err = client.WatchSegment(t.Context(), &attunev1.WatchSegmentRequest{SegmentId: id, Start: attunev1.WatchStart_BEGINNING}); err != nil {
			t.Fatal(err)
		}
	}
	expect := func(id, change, who string, users int) {
		t.Helper()
		seen := map[string]bool{}
		for len(seen) < users {
			response, err := watches[id].Recv()
			if err != nil {
				t.Fatalf("%s: %d %s, want %d: %v", id, len(seen), change, users, err)
			}
			for _, c := range response.GetChanges() {
				if !strings.HasPrefix(c.GetUserId(), who) {
					continue
				}
				if seen[c.GetUserId()] || c.GetType().String() != change {
					t.Errorf("%s: %s %s, which is number %d", id, c.GetType(), c.GetUserId(), len(seen))
				}
				seen[c.GetUserId()] = true
			}
		}
	}
	s.regulars(0)
	first := s.learnBuyers()
	if all := first.GetAll(); first.GetVersion() != 1 || first.GetUsers() != 72 || first.GetEvents() != 1920 || all.GetPurchases() < 20 ||
		all.GetModel().GetAuc().GetValue() < .99 || len(all.GetModel().GetCalibration()) == 0 || first.GetBoughtBefore() != nil ||
		!first.GetLearnedAt().AsTime().After(noon) || all.GetRecency().GetLogLoss() == 0 {
		t.Errorf("learned %v", first)
	}
	found, err := client.GetBuyersModel(t.Context(), &attunev1.GetBuyersModelRequest{})
	if err != nil || !proto.Equal(found, first) {
		t.Errorf("found %v: %v", found, err)
	}
	expect("likely", "ENTERED", "regular", 24)
	expect("unlikely", "ENTERED", "looker", 48)
	preview, err := client.PreviewSegment(t.Context(), &attunev1.PreviewSegmentRequest{Template: &attunev1.RuleTemplate{
		Name: "likely_buyers", Parameters: map[string]*structpb.Value{"p": structpb.NewNumberValue(.5)},
	}})
	if err != nil || preview.GetMembers() != 24 {
		t.Errorf("the template finds %v: %v", preview, err)
	}

	// That some who only look do buy at last is news of those who were unlikely to.
	s.regulars(120)
	if again := s.learnBuyers(); again.GetVersion() != 2 || again.GetUsers() != 192 {
		t.Errorf("learned again %v", again)
	}
	expect("unlikely", "LEFT", "looker", 48)
}

// TestBuyersAreLearnedUnasked: the first segment that reads how likely a purchase is has it learned,
// and another start finds what was learned.
func TestBuyersAreLearnedUnasked(t *testing.T) {
	where := folder(t.TempDir())
	s := open(t, where)
	s.regulars(0)
	s.segment("likely", "likelihood.purchase_7d >= 0.5")
	check := func(s *shop) {
		t.Helper()
		client := attunev1.NewSegmentServiceClient(s.conn)
		follows(t, "the members", func() bool {
			found, err := client.GetSegment(t.Context(), &attunev1.GetSegmentRequest{SegmentId: "likely"})
			return err == nil && found.GetSize() == 24 && found.GetState() == attunev1.SegmentState_READY
		})
		found, err := client.GetBuyersModel(t.Context(), &attunev1.GetBuyersModelRequest{})
		if err != nil || found.GetVersion() != 1 {
			t.Errorf("learned %v: %v", found, err)
		}
	}
	check(s)
	s.close()
	check(open(t, where))
}
