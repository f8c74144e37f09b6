package cf

import (
	"math"
	"testing"

	"github.com/attune-shop/attune/model/cf/cftest"
	"github.com/attune-shop/attune/model/cf/feedback"
)

// checkExplain holds Explain to scores: the parts of the history must add up to the score.
func checkExplain(t *testing.T, s *Snapshot, history []feedback.Signal) {
	t.Helper()
	var sc Scratch
	for _, c := range append([]Candidate(nil), s.Score(history, &sc)...) {
		var share float64
		for k, part := range s.Explain(history, c.Item) {
			share += float64(part.Share)
			if part.Share <= 0 || part.From < 0 || part.From >= len(history) {
				t.Fatalf("part %+v", part)
			}
			if k > 0 && part.Share > s.Explain(history, c.Item)[k-1].Share {
				t.Fatal("parts are not in order")
			}
		}
		if share != 0 && !cftest.Near(share, 1, 1e-4) {
			t.Fatalf("shares of item %d add up to %g", c.Item, share)
		}
		if c.Score > 1e-3 && share == 0 {
			t.Fatalf("item %d with score %g has no reason", c.Item, c.Score)
		}
	}
}

func TestLinearScoresAreSumsOfRows(t *testing.T) {
	d := cftest.Shop(5, 60, 50, 900)
	for _, plan := range []Plan{
		{Algorithm: EASE, Settings: Settings{Lambda: 20}},
		{Algorithm: EASE, Settings: Settings{Lambda: 20, Fade: 3}},
		{Algorithm: ItemKNN},
	} {
		s, err := Fit(t.Context(), d, plan, Options{RowItems: 20, Neighbours: 15}, nil)
		if err != nil {
			t.Fatal(err)
		}
		m := &s.linear
		if plan.Algorithm == ItemKNN {
			m = &s.similar
		}
		history := []feedback.Signal{
			{Item: 3, Weight: 1}, {Item: 7, Weight: 5}, {Item: 7, Weight: 2}, {Item: -1, Weight: 3}, {Item: 999, Weight: 1},
			{Item: 9, Weight: 2}, {Item: 9, Weight: -1}, {Item: 4, Weight: -1}, {Item: 5, Weight: float32(math.NaN())}, {Item: 6, Weight: 1e30},
		}
		// Newest first: 6, 4, 9, 7, 3; nothing is left of 4, which takes a place all the same.
		want := map[int32]float64{}
		for newer, x := range map[int]feedback.Signal{0: {Item: 6, Weight: 1e6}, 2: {Item: 9, Weight: 1}, 3: {Item: 7, Weight: 7}, 4: {Item: 3, Weight: 1}} {
			value := math.Log2(1 + float64(x.Weight))
			if fade := float64(plan.Settings.Fade); fade > 0 {
				value *= math.Exp2(-float64(newer) / fade)
			}
			for j := range int32(d.Items()) {
				want[j] += value * float64(m.At(x.Item, j))
			}
		}
		var sc Scratch
		for range 2 {
			got := map[int32]float64{}
			for _, c := range s.Score(history, &sc) {
				got[c.Item] = float64(c.Score)
			}
			for j := range int32(d.Items()) {
				if !cftest.Near(got[j], want[j], 1e-4) {
					t.Fatalf("%s: item %d scores %g, want %g", plan.Algorithm, j, got[j], want[j])
				}
			}
		}
		checkExplain(t, s, history[:3])
	}
}

// TestRarePairsDoNotWin: two oddities that met twice rank after a pair of every week.
func TestRarePairsDoNotWin(t *testing.T) {
	b := feedback.NewBuilder()
	for k := range 100 {
		switch {
		case k < 60:
			b.AddBasket([]string{"tea", "cup"})
		case k < 62:
			b.AddBasket([]string{"tea", "oddity"})
		case k < 80:
			b.AddBasket([]string{"tea", "spoon"})
		default:
			b.AddBasket([]string{"cup", "spoon"})
		}
	}
	s, err := Fit(t.Context(), b.Build(), Plan{Algorithm: Popularity}, Options{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	tea, _ := s.Index("tea")
	var got []string
	for _, c := range s.Together(tea, 10) {
		got = append(got, s.ItemID(c.Item))
	}
	if len(got) != 3 || got[0] != "cup" || got[1] != "spoon" || got[2] != "oddity" {
		t.Fatalf("with tea: %v", got)
	}
}
