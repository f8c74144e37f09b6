package main

import (
	"maps"
	"testing"
	"testing/synctest"
	"time"

	"github.com/attune-shop/attune/model/cf"
)

func TestMostPopular(t *testing.T) {
	users := [][]int{{1, 5, 9}, {5, 9}, {9, 2}, {1, 7}}
	if got := mostPopular(users, 3); !maps.Equal(got, map[int]int{1: 0, 5: 1, 9: 2}) {
		t.Fatal(got)
	}
	if got := mostPopular(users, 100); len(got) != 5 {
		t.Fatal(got)
	}
	d := dataset(users, mostPopular(users, 3))
	if d.Items() != 3 || d.Users() != 4 || d.Pairs() != 7 {
		t.Fatal(d.Items(), d.Users(), d.Pairs())
	}
	a := gram(users, mostPopular(users, 3))
	for k, want := range []float32{easeLambda + 2, 0, 0, 1, easeLambda + 2, 0, 1, 2, easeLambda + 3} {
		if a.Data[k] != want {
			t.Fatalf("%d is %g, want %g", k, a.Data[k], want)
		}
	}
}

// TestTimingIsOfTheAlgorithm: what comes before its own part, and before a share of that,
// does not count.
func TestTimingIsOfTheAlgorithm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var timing timing
		note := timing.note(cf.ALS, .25)
		for _, step := range []struct {
			done    float64
			message string
		}{{.1, "similar items"}, {.2, "items bought together"}, {.3, cf.ALS}, {.4, cf.ALS}, {.6, cf.ALS}, {1, cf.ALS}} {
			time.Sleep(time.Second)
			note(step.done, step.message)
		}
		if got := timing.seconds(); got != 2 {
			t.Fatalf("%g seconds, want what the last two steps took", got)
		}
	})
}
