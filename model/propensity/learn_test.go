package propensity

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/model/feature"
)

const week = 7 * 24 * time.Hour

// shop is a little one: each user has a pace of their own, views, fills carts, and purchases after some.
func shop(users, weeks int) map[string][]event.Event {
	all := map[string][]event.Event{}
	for u := range users {
		user := fmt.Sprint("u", u)
		rng := rand.New(rand.NewPCG(uint64(u), 5))
		pace := time.Duration(1+rng.IntN(40)) * 24 * time.Hour
		n := 0
		for at := start.Add(time.Duration(rng.Int64N(int64(pace)))); at.Before(start.Add(time.Duration(weeks) * week)); n++ {
			kind := []event.Type{event.ViewItem, event.ViewItem, event.AddToCart, event.Purchase}[rng.IntN(4)]
			all[user] = append(all[user], happened(user, n, kind, at))
			at = at.Add(time.Duration(float64(pace) * rng.ExpFloat64()))
		}
	}
	return all
}

func gathered(t testing.TB, all map[string][]event.Event, weeks int) *Samples {
	t.Helper()
	s, err := NewSamples(start, start.Add(time.Duration(weeks)*week), 1)
	if err != nil {
		t.Fatal(err)
	}
	for user, events := range all {
		s.Add(user, events)
	}
	return s
}

func TestLearn(t *testing.T) {
	all := shop(400, 16)
	var first []byte
	for workers := 1; workers <= 2; workers++ { // maps give users in another order each time
		shares := []float64{}
		m, r, err := Learn(t.Context(), gathered(t, all, 16), workers, func(share float64) { shares = append(shares, share) })
		if err != nil {
			t.Fatal(err)
		}
		text, err := json.Marshal([]any{m, r})
		if err != nil {
			t.Fatal(err)
		}
		if first == nil {
			first = text
		} else if !bytes.Equal(first, text) {
			t.Errorf("%d workers learn something else", workers)
		}
		if !slices.IsSorted(shares) || shares[len(shares)-1] != 1 {
			t.Errorf("done %v", shares)
		}
		c := r.All
		if c.Better.Interval.Low <= 0 || c.Model.AUC < .7 || c.Better.AUC != c.Model.AUC-c.Recency.AUC || c.Model.LogLoss >= c.Recency.LogLoss || c.Model.CalibrationError > .05 {
			t.Errorf("%+v", c)
		}
		if c.Positives < 100 || c.Users > 400 || c.Users < 300 || r.FittedPositives <= c.Positives || r.Again == nil || r.Again.Samples >= c.Samples {
			t.Errorf("%+v", r)
		}
		if end := start.Add(16 * week); !r.To.Equal(end) || r.From.Before(end.Add(-4*week)) || r.From.After(end.Add(-3*week)) {
			t.Errorf("measured from %s to %s", r.From, r.To)
		}
		stored, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		var read Model
		if err := json.Unmarshal(stored, &read); err != nil {
			t.Fatal(err)
		}
		var s feature.State
		for i := range all["u1"] {
			s.Fold(&all["u1"][i])
		}
		p, _ := m.Probability(&s, start.Add(16*week))
		if q, _ := read.Probability(&s, start.Add(16*week)); p != q || !(p > 0 && p < 1) {
			t.Errorf("%v, and %v once stored", p, q)
		}
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := Learn(ended, gathered(t, all, 16), 1, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("although nobody waits: %v", err)
	}
}

// TestCuts holds parts to not looking into each other.
func TestCuts(t *testing.T) {
	for _, span := range []time.Duration{4 * week, 4*week + time.Hour, 5 * week, 20 * week, 200 * week} {
		end := start.Add(span)
		s, err := NewSamples(start, end, 1)
		if err != nil {
			t.Fatal(err)
		}
		last, n, hours := cut{}, map[part]int{}, map[int]bool{}
		for _, c := range s.cuts {
			if !c.at.After(last.at) || c.part < last.part || c.part > last.part && c.at.Sub(last.at) < Horizon {
				t.Errorf("%s: %v after %v", span, c, last)
			}
			last = c
			n[c.part]++
			hours[c.at.Hour()] = true
		}
		if n[fitting] == 0 || n[choosing] == 0 || n[heldOut] == 0 || last.at.Add(Horizon) != end {
			t.Errorf("%s: %v, the last one at %s", span, n, last.at)
		}
		if span > 10*week && (len(hours) < 12 || n[heldOut] < 4) {
			t.Errorf("%s: %v cuts at %d hours", span, n, len(hours))
		}
		if len(s.cuts) > 110 {
			t.Errorf("%s: %d cuts", span, len(s.cuts))
		}
	}
}

// TestAdd holds each sample to the events: what is known is from before the cut, what is to be
// foretold from after it.
func TestAdd(t *testing.T) {
	events := shop(3, 16)["u2"]
	slices.Reverse(events)
	s := gathered(t, map[string][]event.Event{"u2": events}, 16)
	if len(s.all) < 10 {
		t.Fatalf("%d samples", len(s.all))
	}
	for _, x := range s.all {
		at := s.cuts[x.cut].at
		var state feature.State
		bought, event, purchase := false, time.Time{}, time.Time{}
		for i := range events {
			e := &events[i]
			if e.OccurredAt.Before(at) {
				state.Fold(e)
				if event.Before(e.OccurredAt) {
					event = e.OccurredAt
				}
				if e.Type == "purchase" && purchase.Before(e.OccurredAt) {
					purchase = e.OccurredAt
				}
			} else if e.Type == "purchase" && e.OccurredAt.Before(at.Add(Horizon)) {
				bought = true
			}
		}
		since := func(then time.Time) int32 {
			if then.IsZero() {
				return -1
			}
			return int32(at.Truncate(24*time.Hour).Sub(then.Truncate(24*time.Hour)) / (24 * time.Hour))
		}
		if want, _ := featuresOf(&state, at); x.features != want || x.bought != bought || x.sinceEvent != since(event) || x.sincePurchase != since(purchase) {
			t.Errorf("at %s: %+v", at, x)
		}
	}
}

// TestBound keeps no more than the limit, the same ones in any order.
func TestBound(t *testing.T) {
	all := shop(100, 16)
	users := slices.Sorted(func(yield func(string) bool) {
		for user := range all {
			if !yield(user) {
				return
			}
		}
	})
	var first []sample
	for range 2 {
		s, _ := NewSamples(start, start.Add(16*week), 1)
		s.limit = 300
		for _, user := range users {
			s.Add(user, all[user])
		}
		slices.Reverse(users)
		s.order()
		if first == nil {
			first = s.all
		}
		if n := len(s.all); n > 300 || n < 75 || !slices.Equal(s.all, first) {
			t.Errorf("%d samples, of %d before", n, len(first))
		}
	}
}

// TestTooLittle says what is missing.
func TestTooLittle(t *testing.T) {
	if _, err := NewSamples(start, start.Add(27*24*time.Hour), 1); !errors.Is(err, ErrTooLittle) || !strings.Contains(err.Error(), "27 days, and must be of 28") {
		t.Error(err)
	}
	if _, err := NewSamples(start, start.Add(-time.Hour), 1); !errors.Is(err, ErrTooLittle) || !strings.Contains(err.Error(), "of 0 days") {
		t.Error(err)
	}
	views := shop(50, 16)
	for _, events := range views {
		for i := range events {
			events[i].Type = event.ViewItem
		}
	}
	buys := map[string][]event.Event{}
	for u := range 40 { // everybody, every day
		user := fmt.Sprint(u)
		for d := range 16 * 7 {
			buys[user] = append(buys[user], happened(user, d, event.Purchase, start.AddDate(0, 0, d)))
		}
	}
	for want, all := range map[string]map[string][]event.Event{
		"there are 0 with a purchase to fit, of 50, 0 with a purchase to choose by, of 20, 0 with a purchase to measure on, of 20 that are needed": views,
		"0 with a purchase to fit, of 50, 0 with": {},
		"with a purchase to fit, of 50":           {"u1": shop(2, 16)["u1"]},
		"none without a purchase to fit":          buys,
	} {
		_, _, err := Learn(t.Context(), gathered(t, all, 16), 1, nil)
		if !errors.Is(err, ErrTooLittle) || !strings.Contains(err.Error(), want) {
			t.Errorf("%v\nwithout %q", err, want)
		}
	}
}

func TestEncoding(t *testing.T) {
	m, _, err := Learn(t.Context(), gathered(t, shop(300, 12), 12), 2, nil)
	if err != nil {
		t.Fatal(err)
	}
	good, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	changed := func(change func(s *stored)) string {
		var s stored
		if err := json.Unmarshal(good, &s); err != nil {
			t.Fatal(err)
		}
		change(&s)
		text, _ := json.Marshal(s)
		return string(text)
	}
	for text, want := range map[string]error{
		string(good):                                                                               nil,
		changed(func(s *stored) { s.Version++ }):                                                   event.ErrNewerVersion,
		changed(func(s *stored) { s.Version = 0 }):                                                 event.ErrCorrupt,
		changed(func(s *stored) { s.Features = s.Features[1:] }):                                   event.ErrCorrupt,
		changed(func(s *stored) { s.Features[3].Name = "luck" }):                                   event.ErrCorrupt,
		changed(func(s *stored) { s.Features[3].Deviation = -1 }):                                  event.ErrCorrupt,
		changed(func(s *stored) { s.Features[3].Deviation, s.Features[3].Weight = 1e-300, 1e300 }): event.ErrCorrupt,
		strings.Replace(string(good), `"bias":`, `"bias":1e999,"was":`, 1):                         event.ErrCorrupt,
		`null`: event.ErrCorrupt,
		`[]`:   event.ErrCorrupt,
	} {
		var read Model
		if err := json.Unmarshal([]byte(text), &read); !errors.Is(err, want) || (want == nil) != (err == nil) {
			t.Errorf("%s: %v, not %v", text, err, want)
		}
	}
}
