// Package parallel splits work over goroutines such that the result is the same however many
// there are.
package parallel

import (
	"context"
	"sync"
	"sync/atomic"
)

// Each calls work for the ranges [from, to) that cover [0, n), from several goroutines at
// once, and returns when all are done: work must write nothing but what belongs to its range,
// so that the result does not depend on the number of workers. It returns ctx's error,
// looked at between ranges, or the first error of work. A range holds size numbers, the last
// one what is left. done, which may be nil, is told the share that is done after each range,
// never by two goroutines at once.
func Each(ctx context.Context, n, workers, size int, done func(share float64), work func(worker, from, to int) error) error {
	if n <= 0 {
		return ctx.Err()
	}
	size = max(size, 1)
	parts := (n + size - 1) / size
	workers = max(1, min(workers, parts))
	var next, finished atomic.Int64
	var group sync.WaitGroup
	errs := make([]error, workers)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var telling sync.Mutex
	for worker := range workers {
		group.Go(func() {
			for {
				part := int(next.Add(1)) - 1
				if part >= parts {
					return
				}
				if errs[worker] = context.Cause(ctx); errs[worker] != nil {
					return
				}
				if errs[worker] = work(worker, part*size, min(n, (part+1)*size)); errs[worker] != nil {
					cancel(errs[worker]) // what the others return, too
					return
				}
				if done != nil {
					telling.Lock()
					done(float64(finished.Add(1)) / float64(parts))
					telling.Unlock()
				}
			}
		})
	}
	group.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// Share maps the progress of a part to [from, to) of the whole; nil stays nil.
func Share(done func(share float64), from, to float64) func(share float64) {
	if done == nil {
		return nil
	}
	return func(x float64) { done(from + (to-from)*x) }
}
