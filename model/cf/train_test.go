package cf

import (
	"bytes"
	"context"
	"errors"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/attune-shop/attune/model/cf/cftest"
	"github.com/attune-shop/attune/model/cf/feedback"
	"github.com/attune-shop/attune/model/event"
)

func TestEdges(t *testing.T) {
	one := feedback.NewBuilder()
	one.Add("u", "i", 1, 5)
	onlyBaskets := feedback.NewBuilder()
	for range 3 {
		onlyBaskets.AddBasket([]string{"a", "b", "a", ""})
	}
	far := feedback.NewBuilder()
	far.Add("u", "i", math.MaxFloat32, math.MinInt64)
	far.Add("u", "i", math.MaxFloat32, math.MaxInt64)
	far.Add("u", "j", math.SmallestNonzeroFloat32, 0)
	for name, d := range map[string]*feedback.Dataset{
		"empty": feedback.NewBuilder().Build(), "one item": one.Build(), "baskets": onlyBaskets.Build(), "extremes": far.Build(),
	} {
		for _, algorithm := range []string{"", Auto, EASE, Spectral, ALS, ItemKNN, Popularity, Blend} {
			t.Run(name+"/"+algorithm, func(t *testing.T) {
				s, _, choice, err := train(t.Context(), d, Options{Algorithm: algorithm}, nil)
				if err != nil || choice == "" {
					t.Fatal(err, choice)
				}
				if s.Items() != d.Items() || len(s.Popular()) != d.Items() {
					t.Fatalf("%d items of %d", s.Items(), d.Items())
				}
				var sc Scratch
				for _, c := range s.Score([]feedback.Signal{{Item: 0, Weight: 1}, {Item: 1, Weight: 2}}, &sc) {
					if c.Score-c.Score != 0 {
						t.Fatalf("score %g", c.Score)
					}
				}
				s.Score(nil, &sc)
				s.Explain([]feedback.Signal{{Item: 0, Weight: 1}}, 0)
				if len(s.Similar(-1, 3)) > 0 || len(s.Together(9, 3)) > 0 || s.ItemID(-1) != "" || s.ItemID(9) != "" {
					t.Error("an item out of range")
				}
				roundTrip(t, s)
			})
		}
	}
}

func roundTrip(t *testing.T, s *Snapshot) *Snapshot {
	t.Helper()
	var data bytes.Buffer
	n, err := s.WriteTo(&data)
	if err != nil || n != int64(data.Len()) {
		t.Fatal(n, err)
	}
	written := bytes.Clone(data.Bytes())
	back, err := ReadSnapshot(&data)
	if err != nil {
		t.Fatal(err)
	}
	var again bytes.Buffer
	if _, err := back.WriteTo(&again); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(written, again.Bytes()) {
		t.Fatal("read and written again, it is not the same")
	}
	return back
}

func TestSameBytesWhateverTheWorkers(t *testing.T) {
	d := cftest.Shop(6, 300, 120, 4000)
	for _, algorithm := range []string{Auto, EASE, Spectral, ALS, ItemKNN, Popularity, Blend} {
		var first []byte
		for workers := range 4 {
			s, _, _, err := train(t.Context(), d, Options{Algorithm: algorithm, Seed: 9, Workers: workers, Factors: 8}, nil)
			if err != nil {
				t.Fatal(err)
			}
			var data bytes.Buffer
			if _, err := s.WriteTo(&data); err != nil {
				t.Fatal(err)
			}
			if first == nil {
				first = data.Bytes()
			}
			if !bytes.Equal(first, data.Bytes()) {
				t.Fatalf("%s: other bytes with %d workers", algorithm, workers)
			}
		}
	}
}

func TestTrainStopsWhenAsked(t *testing.T) {
	d := cftest.Shop(6, 300, 120, 4000)
	for _, algorithm := range []string{EASE, Spectral, ALS, ItemKNN, Blend} {
		for _, at := range []float64{0, .3, .7} {
			ctx, cancel := context.WithCancel(t.Context())
			_, _, _, err := train(ctx, d, Options{Algorithm: algorithm}, func(done float64, _ string) {
				if done >= at {
					cancel()
				}
			})
			cancel()
			if !errors.Is(err, context.Canceled) {
				t.Errorf("%s from %g: %v", algorithm, at, err)
			}
		}
	}
}

func TestProgressGrows(t *testing.T) {
	d := cftest.Shop(6, 300, 120, 4000)
	var last float64
	var told []string
	clock := time.Unix(0, 0)
	_, evaluations, choice, err := train(t.Context(), d, Options{
		Now:       func() time.Time { clock = clock.Add(time.Second); return clock },
		Evaluated: func(e Evaluation) { told = append(told, e.Algorithm) },
	}, func(done float64, message string) {
		if done < last || done > 1.000001 || message == "" {
			t.Errorf("%g after %g (%s)", done, last, message)
		}
		last = done
	})
	if err != nil || last < .99 {
		t.Fatal(err, last)
	}
	if want := []string{ItemKNN, EASE, Spectral, ALS, Popularity, Blend}; !slices.Equal(told, want) || len(evaluations) != len(want) {
		t.Fatalf("%v, want %v", told, want)
	}
	if evaluations[0].Fit != time.Second {
		t.Errorf("a fit took %v", evaluations[0].Fit)
	}
	t.Log(choice)
}

func TestOptionsAreChecked(t *testing.T) {
	var invalid *event.InvalidError
	_, _, _, err := train(t.Context(), feedback.NewBuilder().Build(), Options{Algorithm: "magic"}, nil)
	if !errors.As(err, &invalid) || invalid.Violations[0].Field != "algorithm" {
		t.Errorf("unknown algorithm: %v", err)
	}
	d := cftest.Shop(6, 300, 120, 4000)
	if _, _, _, err = train(t.Context(), d, Options{Algorithm: EASE, EASEMaxItems: 10}, nil); !errors.Is(err, event.ErrExhausted) {
		t.Errorf("EASE of a large catalog: %v", err)
	}
	if _, _, choice, err := train(t.Context(), d, Options{EASEMaxItems: 10}, nil); err != nil {
		t.Errorf("auto of a large catalog: %v, %s", err, choice)
	}
}

// train evaluates and fits the best on everything.
func train(ctx context.Context, d *feedback.Dataset, o Options, progress Progress) (*Snapshot, []Evaluation, string, error) {
	plan, err := Evaluate(ctx, d, o, scaled(progress, 0, .5))
	if err != nil {
		return nil, nil, "", err
	}
	s, err := Fit(ctx, d, plan, o, scaled(progress, .5, 1))
	return s, plan.Evaluations, plan.Choice, err
}
