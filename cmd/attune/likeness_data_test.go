package main

import (
	"cmp"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/attune-shop/attune/model/cf/feedback"
	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/model/feature"
	"github.com/attune-shop/attune/model/likeness"
)

// TestLikenessPublic finds half of a segment's members among everybody else by the other half, on two
// public data sets: who bought one of the items that are bought most, of which likeness is not told,
// and who buys often, which is a matter of activity more than of taste.
func TestLikenessPublic(t *testing.T) {
	dir := cmp.Or(os.Getenv("ATTUNE_TEST_DATA"), "../../../shared/data")
	for _, set := range []struct{ format, file string }{
		{"online-retail", "online-retail/online_retail.csv.gz"},
		{"retailrocket", "retailrocket/events_train.csv.gz"},
	} {
		e := &evaluatedBuyers{Format: set.format, File: filepath.Join(dir, set.file)}
		users, err := e.read()
		if errors.Is(err, fs.ErrNotExist) {
			t.Skipf("no %s in %s; set ATTUNE_TEST_DATA to the folder of the data sets", set.file, dir)
		}
		if err != nil {
			t.Fatal(err)
		}
		states, buyers := map[string]*feature.State{}, map[string]int{}
		for user, events := range users {
			states[user] = &feature.State{}
			for i := range events {
				states[user].Fold(&events[i])
			}
			for _, item := range states[user].Bought() {
				buyers[item]++
			}
		}
		often := func(s *feature.State) bool { n, _, _ := s.Count(event.Purchase); return n >= 8 }
		measureLikeness(t, set.format+", who buys often", states, "", often)
		items := slices.SortedFunc(maps.Keys(buyers), func(a, b string) int { return cmp.Or(cmp.Compare(buyers[b], buyers[a]), cmp.Compare(a, b)) })
		for _, item := range items[:6] {
			if buyers[item] < likeness.Least {
				continue
			}
			bought := func(s *feature.State) bool { return slices.Contains(s.Bought(), item) }
			if r := measureLikeness(t, set.format+", who bought "+item, states, item, bought); r.Better.Low <= 0 {
				t.Errorf("%s: activity alone finds who bought %s as well", set.format, item)
			}
		}
	}
}

func measureLikeness(t *testing.T, name string, states map[string]*feature.State, without string, member func(*feature.State) bool) *likeness.Report {
	t.Helper()
	var samples likeness.Samples
	for user, s := range states {
		interest := slices.DeleteFunc(likeness.InterestOf(s, feedback.DefaultWeights()), func(x likeness.Liked) bool { return x.ItemID == without })
		samples.Add(user, interest, s.Events(), member(s))
	}
	_, r, err := samples.Learn()
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	t.Logf("%s: %d of %d members among %d others: likeness %.3f [%.3f, %.3f], activity %.3f, better by %+.3f [%+.3f, %+.3f]",
		name, r.HeldOutMembers, r.Members, r.HeldOutOthers, r.Likeness.Value, r.Likeness.Low, r.Likeness.High, r.Activity.Value, r.Better.Value, r.Better.Low, r.Better.High)
	return r
}
