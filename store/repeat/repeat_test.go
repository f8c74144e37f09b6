package repeat

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func TestEvery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began, broken := time.Now(), errors.New("broken")
		var calls []time.Duration
		err := Every(t.Context(), time.Second, func(context.Context) error {
			if calls = append(calls, time.Since(began)); len(calls) == 3 {
				return broken
			}
			return nil
		})
		if !errors.Is(err, broken) || len(calls) != 3 || calls[0] != time.Second || calls[2] != 3*time.Second {
			t.Errorf("called after %v, ended by %v", calls, err)
		}
	})
}

func TestLookGoesOnAfterErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		looks, told := 0, 0
		Look(ctx, time.Second, func(context.Context) error {
			if looks++; looks == 3 {
				cancel() // what fails by that is not told
			}
			return errors.New("away")
		}, func(error) { told++ })
		if looks != 3 || told != 2 {
			t.Errorf("%d looks, %d errors told", looks, told)
		}
	})
}
