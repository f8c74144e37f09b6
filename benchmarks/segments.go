package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	attunev1 "github.com/attune-shop/attune/gen/attune/v1"
)

type segmentsBench struct {
	Users    int `help:"Users." default:"1000000"`
	Each     int `help:"Events of each, before there are segments." default:"5"`
	Segments int `help:"Segments." default:"50"`
	Seconds  int `help:"How long the ingest is measured, each time." default:"10"`
	Rounds   int `help:"How often it is measured with and without segments, in turn." default:"3"`
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

// Run prints the ingest with and without segments in turn, how fast a new segment is asked for of
// everybody, how fast members are exported, and what a membership takes on disk.
func (b *segmentsBench) Run(ctx context.Context, attune binary) error {
	dir, err := os.MkdirTemp("", "attune-bench-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	server, err := attune.serve(ctx, "--data", dir)
	if err != nil {
		return err
	}
	defer func() { _ = server.stop(os.Interrupt) }()
	fill := memoryBench{Users: b.Users, Each: b.Each}
	if err := fill.fill(ctx, server); err != nil {
		return err
	}
	segments := attunev1.NewSegmentServiceClient(server.conn)
	if err := b.backfill(ctx, segments, dir); err != nil {
		return err
	}
	if err := b.export(ctx, segments); err != nil {
		return err
	}
	return b.ingest(ctx, server, segments)
}

// backfill defines one segment that everybody is in and one that nobody is in.
func (b *segmentsBench) backfill(ctx context.Context, segments attunev1.SegmentServiceClient, dir string) error {
	for _, s := range []struct{ id, rule string }{{"nobody", "event_counts['refund'] > 1000"}, {"everybody", "event_counts['view_item'] + event_counts['add_to_cart'] > 0"}} {
		before, err := folderBytes(dir)
		if err != nil {
			return err
		}
		began := time.Now()
		if err := b.define(ctx, segments, s.id, s.rule); err != nil {
			return err
		}
		made, err := b.ready(ctx, segments, s.id)
		if err != nil {
			return err
		}
		took := time.Since(began)
		fmt.Printf("%-52s %12.0f users/s (%d members, %v)\n", "a new segment that "+s.id+" is in", float64(b.Users)/took.Seconds(), made.GetSize(), took.Round(time.Millisecond))
		if made.GetSize() > 0 {
			after, err := folderBytes(dir)
			if err != nil {
				return err
			}
			fmt.Printf("%-52s %12.1f bytes, with its transition\n", "a membership, on disk before compaction", float64(after-before)/float64(made.GetSize()))
		}
	}
	return nil
}

func (b *segmentsBench) define(ctx context.Context, segments attunev1.SegmentServiceClient, id, rule string) error {
	_, err := segments.CreateSegment(ctx, &attunev1.CreateSegmentRequest{SegmentId: id, Rule: rule})
	return err
}

// ready waits until everybody was asked for a segment.
func (b *segmentsBench) ready(ctx context.Context, segments attunev1.SegmentServiceClient, id string) (*attunev1.Segment, error) {
	for {
		s, err := segments.GetSegment(ctx, &attunev1.GetSegmentRequest{SegmentId: id})
		if err != nil || s.GetState() == attunev1.SegmentState_READY {
			return s, err
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func (b *segmentsBench) export(ctx context.Context, segments attunev1.SegmentServiceClient) error {
	began, members := time.Now(), 0
	stream, err := segments.ExportMembers(ctx, &attunev1.ExportMembersRequest{SegmentId: "everybody"})
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

// ingest measures in turn, since the machine's speed drifts.
func (b *segmentsBench) ingest(ctx context.Context, server *process, segments attunev1.SegmentServiceClient) error {
	events := attunev1.NewEventServiceClient(server.conn)
	visits := newVisits(b.Users, 1)
	during := time.Duration(b.Seconds) * time.Second
	var without, with, ratios []float64
	for range b.Rounds {
		for _, id := range []string{"nobody", "everybody"} {
			_, _ = segments.DeleteSegment(ctx, &attunev1.DeleteSegmentRequest{SegmentId: id}) // they are there the first time
		}
		rate, err := stream(ctx, events, visits, 4, 500, during)
		if err != nil {
			return err
		}
		without = append(without, rate)
		for n := range b.Segments {
			if err := b.define(ctx, segments, fmt.Sprint("segment-", n), b.rule(n)); err != nil {
				return err
			}
		}
		for n := range b.Segments {
			if _, err := b.ready(ctx, segments, fmt.Sprint("segment-", n)); err != nil {
				return err
			}
		}
		if rate, err = stream(ctx, events, visits, 4, 500, during); err != nil {
			return err
		}
		with = append(with, rate)
		ratios = append(ratios, rate/without[len(without)-1])
		for n := range b.Segments {
			if _, err := segments.DeleteSegment(ctx, &attunev1.DeleteSegmentRequest{SegmentId: fmt.Sprint("segment-", n)}); err != nil {
				return err
			}
		}
	}
	for _, list := range [][]float64{without, with, ratios} {
		slices.Sort(list)
	}
	fmt.Printf("%-52s %12.0f events/s\n", "durable ingest without segments, median", without[len(without)/2])
	fmt.Printf("%-52s %12.0f events/s, %.2f of it (%.2f to %.2f)\n", fmt.Sprintf("with %d segments", b.Segments), with[len(with)/2],
		ratios[len(ratios)/2], ratios[0], ratios[len(ratios)-1])
	return nil
}

// folderBytes is the size of all files of a folder.
func folderBytes(dir string) (sum int64, err error) {
	err = filepath.WalkDir(dir, func(_ string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		info, err := entry.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil // the store deletes files meanwhile
		}
		if err == nil {
			sum += info.Size()
		}
		return err
	})
	return sum, err
}
