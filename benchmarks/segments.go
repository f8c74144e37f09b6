package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	attunev1 "github.com/attune-shop/attune/gen/attune/v1"
	"github.com/attune-shop/attune/store"
	"github.com/attune-shop/attune/store/embedded"
	"github.com/attune-shop/attune/store/membership"
)

type segmentsBench struct {
	Users    int `help:"Users." default:"1000000"`
	Each     int `help:"Events of each, before there are segments." default:"5"`
	Segments int `help:"Segments." default:"50"`
	Seconds  int `help:"How long the ingest is measured, each time." default:"10"`
	Rounds   int `help:"How often it is measured with segments, each time between two without." default:"3"`
}

// rule returns one of the rules that shops have: counts, windows, what time changes, interest,
// money and what a visit left behind.
func (b *segmentsBench) rule(n int) string {
	rules := []string{
		"event_counts['view_item'] >= %d", "event_counts['add_to_cart'] >= %d", "purchases.d30 >= %d",
		"last_seen.age > duration('%d00h') && event_counts['purchase'] == 0", "size(cart_item_ids) > %d",
		"spent.exists(s, s.currency_code == 'EUR' && s.all > %d000)", "types.exists(t, t.type == 'add_to_cart' && t.counts.d7 >= %d)",
		"event_counts['purchase'] >= %d && last_purchase.age > duration('720h')", "event_counts['refund'] > %d", "rfm.frequency >= %d",
	}
	return fmt.Sprintf(rules[n%len(rules)], 1+n/len(rules))
}

// shop is a server that has segments.
type shop struct {
	*process
	events   attunev1.EventServiceClient
	segments attunev1.SegmentServiceClient
}

func openShop(ctx context.Context, attune binary, dir string) (*shop, error) {
	server, err := attune.serve(ctx, "--data", dir)
	if err != nil {
		return nil, err
	}
	return &shop{server, attunev1.NewEventServiceClient(server.conn), attunev1.NewSegmentServiceClient(server.conn)}, nil
}

// Run prints how fast a new segment is asked for of everybody, how fast members are exported, the
// ingest with and without segments in turn, how far their members are behind it, and what a
// membership takes on disk.
func (b *segmentsBench) Run(ctx context.Context, attune binary) error {
	dir, err := os.MkdirTemp("", "attune-bench-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	s, err := openShop(ctx, attune, dir)
	if err != nil {
		return err
	}
	defer func() { _ = s.stop(os.Interrupt) }()
	fill := memoryBench{Users: b.Users, Each: b.Each}
	if err := fill.fill(ctx, s.process); err != nil {
		return err
	}
	if err := b.backfill(ctx, s); err != nil {
		return err
	}
	if err := s.export(ctx); err != nil {
		return err
	}
	if s, err = b.bytes(ctx, attune, dir, s, "a membership, one of each user"); err != nil {
		return err
	}
	if err := s.remove(ctx, "nobody", "everybody"); err != nil {
		return err
	}
	if err := b.ingest(ctx, s); err != nil {
		return err
	}
	if err := b.defineAll(ctx, s); err != nil {
		return err
	}
	s, err = b.bytes(ctx, attune, dir, s, fmt.Sprintf("a membership in %d segments", b.Segments))
	return err
}

// backfill defines one segment that everybody is in and one that nobody is in.
func (b *segmentsBench) backfill(ctx context.Context, s *shop) error {
	for _, of := range []struct{ id, rule string }{{"nobody", "event_counts['refund'] > 1000"}, {"everybody", "event_counts['view_item'] + event_counts['add_to_cart'] > 0"}} {
		began := time.Now()
		if err := s.define(ctx, of.id, of.rule); err != nil {
			return err
		}
		made, err := s.made(ctx, of.id)
		if err != nil {
			return err
		}
		took := time.Since(began)
		fmt.Printf("%-52s %12.0f users/s (%d members, %v)\n", "a new segment that "+of.id+" is in", float64(b.Users)/took.Seconds(), made.GetSize(), took.Round(time.Millisecond))
	}
	return nil
}

// defineAll defines all segments and waits until everybody was asked for them.
func (b *segmentsBench) defineAll(ctx context.Context, s *shop) error {
	for n := range b.Segments {
		if err := s.define(ctx, fmt.Sprint("segment-", n), b.rule(n)); err != nil {
			return err
		}
	}
	for n := range b.Segments {
		if _, err := s.made(ctx, fmt.Sprint("segment-", n)); err != nil {
			return err
		}
	}
	return nil
}

func (b *segmentsBench) removeAll(ctx context.Context, s *shop) error {
	for n := range b.Segments {
		if err := s.remove(ctx, fmt.Sprint("segment-", n)); err != nil {
			return err
		}
	}
	return nil
}

func (s *shop) define(ctx context.Context, id, rule string) error {
	_, err := s.segments.CreateSegment(ctx, &attunev1.CreateSegmentRequest{SegmentId: id, Rule: rule})
	return err
}

// made waits until everybody was asked for a segment.
func (s *shop) made(ctx context.Context, id string) (*attunev1.Segment, error) {
	for {
		segment, err := s.segments.GetSegment(ctx, &attunev1.GetSegmentRequest{SegmentId: id})
		if err != nil || segment.GetState() == attunev1.SegmentState_READY {
			return segment, err
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func (s *shop) remove(ctx context.Context, ids ...string) error {
	for _, id := range ids {
		if _, err := s.segments.DeleteSegment(ctx, &attunev1.DeleteSegmentRequest{SegmentId: id}); err != nil {
			return err
		}
	}
	return nil
}

func (s *shop) export(ctx context.Context) error {
	began, members := time.Now(), 0
	stream, err := s.segments.ExportMembers(ctx, &attunev1.ExportMembersRequest{SegmentId: "everybody"})
	for err == nil {
		var response *attunev1.ExportMembersResponse
		if response, err = stream.Recv(); err == nil {
			members += len(response.GetMembers())
		}
	}
	if !errors.Is(err, io.EOF) {
		return err
	}
	fmt.Printf("%-52s %12.0f members/s\n", "export", float64(members)/time.Since(began).Seconds())
	return nil
}

// bytes prints what a membership takes in the folder of a server, which it stops and starts again.
func (b *segmentsBench) bytes(ctx context.Context, attune binary, dir string, s *shop, name string) (*shop, error) {
	list, err := s.segments.ListSegments(ctx, &attunev1.ListSegmentsRequest{})
	if err != nil {
		return s, err
	}
	members := int64(0)
	for _, segment := range list.GetSegments() {
		members += segment.GetSize()
	}
	if err := s.stop(os.Interrupt); err != nil {
		return s, err
	}
	folder, err := embedded.Open(dir, embedded.Options{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return s, err
	}
	byUser, bySegment, err := folder.MembershipBytes(ctx)
	changes, moves := int64(0), int64(0)
	for reader, shard := membership.NewReader(folder), 0; err == nil && shard < folder.Shards(); shard++ {
		err = folder.Transitions().Read(ctx, shard, 0, func(_ store.Seq, row []byte) error {
			changes += int64(len(row))
			return nil
		})
		if err == nil {
			err = reader.Rows(ctx, shard, 0, func(_ store.Seq, _ time.Time, row []membership.Move) error {
				moves += int64(len(row))
				return nil
			})
		}
	}
	if err = errors.Join(err, folder.Close()); err != nil {
		return s, err
	}
	fmt.Printf("%-52s %12.1f bytes by segment, %.1f by user; there are %d, %.1f of a user\n", name, float64(bySegment)/float64(members),
		float64(byUser)/float64(members), members, float64(members)/float64(b.Users))
	fmt.Printf("%-52s %12.1f bytes before compression, for eight days; there are %d\n", "a change in the stream of who enters and leaves", float64(changes)/float64(moves), moves)
	return openShop(ctx, attune, dir)
}
