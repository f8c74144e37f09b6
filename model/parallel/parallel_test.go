package parallel

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestEachCoversEverythingOnce(t *testing.T) {
	for _, n := range []int{0, 1, 7, 64, 65} {
		for _, workers := range []int{-1, 1, 3, 100} {
			for _, size := range []int{0, 1, 8, 100} {
				counts, last := make([]atomic.Int32, n), 0.
				err := Each(t.Context(), n, workers, size, func(share float64) {
					if share <= last {
						t.Errorf("%g after %g", share, last)
					}
					last = share
				}, func(worker, from, to int) error {
					if worker < 0 || worker >= max(workers, 1) || to-from > max(size, 1) {
						t.Errorf("worker %d: [%d, %d)", worker, from, to)
					}
					for i := from; i < to; i++ {
						counts[i].Add(1)
					}
					return nil
				})
				if err != nil || n > 0 && last != 1 {
					t.Fatal(err, last)
				}
				for i := range counts {
					if counts[i].Load() != 1 {
						t.Fatalf("n %d, %d workers, size %d: %d was done %d times", n, workers, size, i, counts[i].Load())
					}
				}
			}
		}
	}
}

func TestEachStops(t *testing.T) {
	broken := errors.New("broken")
	var calls atomic.Int32
	err := Each(t.Context(), 1000, 2, 1, nil, func(int, int, int) error {
		calls.Add(1)
		return broken
	})
	if !errors.Is(err, broken) || calls.Load() > 2 {
		t.Fatal(err, calls.Load())
	}
	ctx, cancel := context.WithCancel(t.Context())
	err = Each(ctx, 1000, 2, 1, nil, func(int, int, int) error { cancel(); return nil })
	if !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	if err = Each(ctx, 0, 2, 1, nil, nil); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
}
