package cf

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/attune-shop/attune/model/cf/cftest"
	"github.com/attune-shop/attune/model/cf/eval"
	"github.com/attune-shop/attune/model/cf/linear"
)

// TestFitsStopSoon: what takes seconds ends within one of being told to, wherever it is.
func TestFitsStopSoon(t *testing.T) {
	large, visits := cftest.Shop(7, 3000, 4000, 40_000), cftest.Shop(8, 1500, 300, 30_000)
	o := Options{Workers: 2, Iterations: 10_000}.filled()
	h := &chooser{eval.Hold(visits, o.Protocol, o.sample())}
	neighbours, err := h.tryAlgorithm(t.Context(), scope{algorithm: ItemKNN, settings: 1}, o, nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		from float64
		run  func(ctx context.Context, done func(float64)) error
	}{
		"the inverse of EASE": {.2, func(ctx context.Context, done func(float64)) error {
			_, err := linear.EASE{Lambda: 200}.Fit(ctx, large, 2, done)
			return err
		}},
		"ALS": {0, func(ctx context.Context, done func(float64)) error {
			return als(ctx, large, &Snapshot{}, 4, o, done)
		}},
		"the lists of a blend": {.31, func(ctx context.Context, done func(float64)) error {
			_, err := h.tryBlend(ctx, []*trial{neighbours}, o, func(x float64, _ string) { done(x) })
			return err
		}},
		"the weights of a blend": {.6, func(ctx context.Context, done func(float64)) error {
			_, err := h.tryBlend(ctx, []*trial{neighbours}, o, func(x float64, _ string) { done(x) })
			return err
		}},
	} {
		ctx, cancel := context.WithCancel(t.Context())
		var told time.Time
		var once sync.Once
		err := test.run(ctx, func(share float64) {
			if share >= test.from { // and in the middle of what is done next
				once.Do(func() { time.AfterFunc(20*time.Millisecond, func() { told = time.Now(); cancel() }) })
			}
		})
		if !errors.Is(err, context.Canceled) {
			t.Fatalf("%s: %v", name, err)
		}
		if took := time.Since(told); took > time.Second {
			t.Errorf("%s ended %v after it was told to", name, took)
		}
	}
}
