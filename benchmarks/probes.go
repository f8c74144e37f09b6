package main

import (
	"context"
	"fmt"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	attunev1 "github.com/attune-shop/attune/gen/attune/v1"
)

// probes are events of new users, each of which makes its user enter a segment that is watched: how
// long that takes from the ack on is how far the members of segments are behind.
type probes struct {
	shop    *shop
	segment string
	// acked is when the event of each user was acknowledged; stop ends the sending, which sent tells.
	acked map[string]time.Time
	stop  context.CancelFunc
	sent  chan error
	// changes has who entered, and when that came; unwatch ends them, which watched tells.
	changes chan arrival
	unwatch context.CancelFunc
	watched chan error
}

// arrival says that a change of a user came.
type arrival struct {
	userID string
	at     time.Time
}

const (
	probeEvery = 100 * time.Millisecond
	// probePatience is how long the last one may take, and maxProbes more than there are by then.
	probePatience = 5 * time.Minute
	maxProbes     = 100_000
)

// openProbes defines a segment, watches it, and sends probes until end.
func openProbes(ctx context.Context, s *shop) (*probes, error) {
	p := &probes{
		shop: s, segment: fmt.Sprint("probes-", time.Now().UnixNano()),
		acked: map[string]time.Time{}, sent: make(chan error, 1), changes: make(chan arrival, maxProbes), watched: make(chan error, 1),
	}
	if err := s.define(ctx, p.segment, "event_counts['probe'] > 0"); err != nil {
		return nil, err
	}
	if _, err := s.made(ctx, p.segment); err != nil {
		return nil, err
	}
	watching, unwatch := context.WithCancel(ctx)
	watch, err := s.segments.WatchSegment(watching, &attunev1.WatchSegmentRequest{SegmentId: p.segment, Start: attunev1.WatchStart_NOW})
	if err == nil {
		_, err = watch.Recv() // from here on it watches
	}
	if err != nil {
		unwatch()
		return nil, err
	}
	p.unwatch = unwatch
	go func() { p.watched <- p.receive(watch) }()
	sending, stop := context.WithCancel(ctx)
	p.stop = stop
	go func() { p.sent <- p.sendUntil(ctx, sending.Done()) }()
	return p, nil
}

// receive notes what comes until the watch ends.
func (p *probes) receive(watch attunev1.SegmentService_WatchSegmentClient) error {
	for {
		response, err := watch.Recv()
		if err != nil {
			return err
		}
		for _, change := range response.GetChanges() {
			p.changes <- arrival{change.GetUserId(), time.Now()}
		}
	}
}

func (p *probes) sendUntil(ctx context.Context, stopped <-chan struct{}) error {
	for {
		if _, err := p.send(ctx); err != nil {
			return err
		}
		select {
		case <-stopped:
			return nil
		case <-time.After(probeEvery):
		}
	}
}

// send sends one probe and returns its user.
func (p *probes) send(ctx context.Context) (string, error) {
	user := fmt.Sprintf("%s-%d", p.segment, len(p.acked))
	_, err := p.shop.events.Write(ctx, &attunev1.WriteRequest{Events: []*attunev1.Event{
		{EventId: user, Type: "probe", UserId: user, OccurredAt: timestamppb.Now()},
	}})
	p.acked[user] = time.Now()
	return user, err
}

// end returns how long the probes took, in any order, and how long one takes that is sent now.
func (p *probes) end(ctx context.Context) (lags latencies, last time.Duration, err error) {
	p.stop()
	defer p.unwatch()
	if err := <-p.sent; err != nil {
		return nil, 0, err
	}
	user, err := p.send(ctx)
	if err != nil {
		return nil, 0, err
	}
	late := time.After(probePatience)
	for range p.acked {
		select {
		case came := <-p.changes:
			lag := max(came.at.Sub(p.acked[came.userID]), 0)
			if lags = append(lags, lag); came.userID == user {
				last = lag
			}
		case err := <-p.watched:
			return nil, 0, err
		case <-late:
			return nil, 0, fmt.Errorf("%d of %d changes are not published after %v", len(p.acked)-len(lags), len(p.acked), probePatience)
		}
	}
	return lags, last, p.shop.remove(ctx, p.segment)
}
