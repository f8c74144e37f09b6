package main

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"time"
)

// latencies are the durations of single calls, in order once measured.
type latencies []time.Duration

// quantile returns the duration that a share q of the calls did not exceed.
func (l latencies) quantile(q float64) time.Duration {
	if len(l) == 0 {
		return 0
	}
	return l[min(int(q*float64(len(l))), len(l)-1)]
}

// rate is the calls per second over a time.
func (l latencies) rate(during time.Duration) float64 { return float64(len(l)) / during.Seconds() }

// measure lets clients call one after the other, all at once, and returns every call's time.
func measure(ctx context.Context, clients int, during time.Duration, call func(context.Context, *rand.Rand) error) (latencies, error) {
	return paced(ctx, clients, 0, during, call)
}

// paced lets clients call rate times a second together, as fast as they can where that is 0,
// and returns every call's time from when it was due.
func paced(ctx context.Context, clients int, rate float64, during time.Duration, call func(context.Context, *rand.Rand) error) (latencies, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	each := make([]latencies, clients)
	var running sync.WaitGroup
	begin := time.Now()
	until := begin.Add(during)
	for c := range clients {
		running.Go(func() {
			random := rand.New(rand.NewPCG(1, uint64(c)))
			for n := 0; time.Now().Before(until) && ctx.Err() == nil; n++ {
				began := time.Now()
				if rate > 0 {
					due := begin.Add(time.Duration((float64(n*clients+c) + random.Float64()) / rate * float64(time.Second)))
					time.Sleep(time.Until(due))
					began = due
				}
				if err := call(ctx, random); err != nil {
					cancel(err)
					return
				}
				each[c] = append(each[c], time.Since(began))
			}
		})
	}
	running.Wait()
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	all := slices.Concat(each...)
	slices.Sort(all)
	return all, nil
}
