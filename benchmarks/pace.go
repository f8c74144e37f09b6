package main

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// phase is what one time of ingest came to.
type phase struct {
	// rate is in events per second, processor the microseconds of an event that the server took.
	rate, processor float64
}

// ingest measures with segments between two times without, since the machine's speed drifts and what
// is known of users grows.
func (b *segmentsBench) ingest(ctx context.Context, s *shop) error {
	visits := newVisits(b.Users, 1)
	if err := s.settle(ctx); err != nil {
		return err
	}
	before, err := b.phase(ctx, s, visits)
	if err != nil {
		return err
	}
	var rates, ratios, processors, last []float64
	var lags latencies
	for range b.Rounds {
		with, during, end, err := b.withSegments(ctx, s, visits)
		if err != nil {
			return err
		}
		lags, last = append(lags, during...), append(last, end.Seconds())
		after, err := b.phase(ctx, s, visits)
		if err != nil {
			return err
		}
		rates = append(rates, before.rate, after.rate)
		ratio, processor := 2*with.rate/(before.rate+after.rate), 2*with.processor/(before.processor+after.processor)
		ratios, processors = append(ratios, ratio), append(processors, processor)
		fmt.Printf("%-52s %12.0f events/s, with segments %.0f, then %.0f: %.2f of it, %.2f times the processor\n", "  a round without segments", before.rate, with.rate, after.rate, ratio, processor)
		before = after
	}
	slices.Sort(lags)
	fmt.Printf("%-52s %12.0f events/s\n", "durable ingest without segments, median", median(rates))
	fmt.Printf("%-52s %12.2f of it, median (%.2f to %.2f); %.2f times the processor\n", fmt.Sprintf("with %d segments", b.Segments),
		median(ratios), slices.Min(ratios), slices.Max(ratios), median(processors))
	fmt.Printf("%-52s %12.2f s from ack to change, median (at most %.2f s); %.2f s at the end (at most %.2f s)\n", "members are behind meanwhile",
		lags.quantile(.5).Seconds(), lags.quantile(1).Seconds(), median(last), slices.Max(last))
	return nil
}

// withSegments measures the ingest while there are segments, how far their members are behind meanwhile, and
// how far at its end. It leaves none, and a server at rest.
func (b *segmentsBench) withSegments(ctx context.Context, s *shop, visits *visits) (with phase, lags latencies, last time.Duration, err error) {
	if err := b.defineAll(ctx, s); err != nil {
		return phase{}, nil, 0, err
	}
	if err := s.settle(ctx); err != nil {
		return phase{}, nil, 0, err
	}
	probes, err := openProbes(ctx, s)
	if err != nil {
		return phase{}, nil, 0, err
	}
	if with, err = b.phase(ctx, s, visits); err != nil {
		return phase{}, nil, 0, err
	}
	if lags, last, err = probes.end(ctx); err != nil {
		return phase{}, nil, 0, err
	}
	if err := b.removeAll(ctx, s); err != nil {
		return phase{}, nil, 0, err
	}
	return with, lags, last, s.settle(ctx)
}

// phase measures the ingest.
func (b *segmentsBench) phase(ctx context.Context, s *shop, visits *visits) (phase, error) {
	began, err := s.processor()
	if err != nil {
		return phase{}, err
	}
	during := time.Duration(b.Seconds) * time.Second
	rate, err := stream(ctx, s.events, visits, 4, 500, during)
	if err != nil {
		return phase{}, err
	}
	ended, err := s.processor()
	return phase{rate, float64((ended - began).Microseconds()) / rate / during.Seconds()}, err
}

// settle waits until a server does nothing, a minute at the most.
func (p *process) settle(ctx context.Context) error {
	const look, patience = time.Second, time.Minute
	last, err := p.processor()
	for began := time.Now(); err == nil && time.Since(began) < patience; {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(look):
		}
		var now time.Duration
		if now, err = p.processor(); now-last < look/20 {
			break
		}
		last = now
	}
	return err
}
