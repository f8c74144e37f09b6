package e2e_test

import (
	"context"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	attunev1 "github.com/attune-shop/attune/gen/attune/v1"
	"github.com/attune-shop/attune/server"
	"github.com/attune-shop/attune/server/fault"
	"github.com/attune-shop/attune/store/membership"
)

// TestForgedPlaces: page tokens and cursors that no answer held are refused at once, whatever is in them.
func TestForgedPlaces(t *testing.T) { everywhere(t, testForgedPlaces) }

func testForgedPlaces(t *testing.T, where server.StoreConfig) {
	s := open(t, where)
	s.fill()
	s.segment("everybody", "true")
	client := attunev1.NewSegmentServiceClient(s.conn)
	for _, place := range []string{`{"Shard":-1}`, `{"Shard":-9000000000000000000}`, `{"Shard":70000,"UserID":"a"}`, `{"Shard":0}`, `{"Shard":0,"UserID":"\u0000"}`, `[]`} {
		_, err := client.ListMembers(t.Context(), &attunev1.ListMembersRequest{SegmentId: "everybody", PageToken: fault.EncodeToken("members 1", place)})
		if status.Code(err) != codes.InvalidArgument {
			t.Errorf("page token of %s: %v", place, err)
		}
	}
	ahead := "1." + membership.Cursor{0: 1_000_000}.String()
	for cursor, want := range map[string]codes.Code{
		ahead: codes.OutOfRange, "1." + membership.Cursor{1: 1<<64 - 1}.String(): codes.OutOfRange,
		"2." + membership.Cursor{}.String(): codes.InvalidArgument, " 1.AQ": codes.InvalidArgument, "1.AQ x": codes.InvalidArgument,
		"+1.AQ": codes.InvalidArgument, "1": codes.InvalidArgument, "1.": codes.InvalidArgument,
	} {
		watching, stop := context.WithTimeout(t.Context(), 10*time.Second)
		stream, err := client.WatchSegment(watching, &attunev1.WatchSegmentRequest{SegmentId: "everybody", Cursor: cursor})
		if err == nil {
			_, err = stream.Recv()
		}
		if status.Code(err) != want {
			t.Errorf("cursor %q: %v, want %v", cursor, err, want)
		}
		stop()
	}
}
