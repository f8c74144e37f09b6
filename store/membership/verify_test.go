package membership_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/store"
	"github.com/attune-shop/attune/store/membership"
)

// verify compares while nothing is published.
func (f *fixture) verify() membership.Report {
	f.Helper()
	f.must(f.publisher.Close())
	at, err := membership.PublishedAt(f.Context(), f.stores)
	f.must(err)
	options := f.options()
	options.Now = func() time.Time { return at }
	report, err := membership.Verify(f.Context(), options)
	f.must(err)
	return report
}

// published has three segments with members: of counts, of time, and of the catalog.
func published(t *testing.T) (f *fixture, buyers, away uint32) {
	f = newFixture(t)
	buyers, away = f.define("buyers", "event_counts['purchase'] > 0"), f.define("away", "last_seen.age > duration('240h')")
	f.define("lamps", "category_affinity['Lamps'] > 0.5")
	f.write(bought("1", "anna"), bought("2", "bert"))
	f.wants(buyers, "anna", "bert")
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		states, err := f.publisher.States(t.Context(), f.book.Current())
		f.must(err)
		if !slices.ContainsFunc(states, func(s membership.State) bool { return !s.Ready }) {
			return f, buyers, away
		}
		if time.Now().After(deadline) {
			t.Fatal("not everybody was ever asked")
		}
	}
}

func bought(id, user string) event.Event {
	return event.Event{ID: id, Type: event.Purchase, UserID: user, Lines: []event.Line{{ItemID: "lamp"}}}
}

// TestVerifyFindsNothing where all is well, also of users whom a server would look at again.
func TestVerifyFindsNothing(t *testing.T) {
	f, buyers, away := published(t)
	report := f.verify()
	if report.Differences != 0 || report.Segments != 2 || len(report.Skipped) != 1 || report.Members != 2 {
		t.Errorf("%+v", report)
	}
	f.write(bought("3", "cleo")) // of which nothing is published
	if report = f.verify(); report.Differences != 0 || report.Waiting == 0 {
		t.Errorf("%+v", report)
	}
	f.close()
	f.open()
	f.wants(buyers, "anna", "bert", "cleo")
	f.now.Add((11 * 24 * time.Hour).Microseconds())
	f.wants(away, "anna", "bert", "cleo")
	if report = f.verify(); report.Differences != 0 || report.Members != 6 {
		t.Errorf("%+v", report)
	}
}

// TestVerifyFindsDamage of each kind.
func TestVerifyFindsDamage(t *testing.T) {
	const newest = store.MaxStamp
	for name, tc := range map[string]struct {
		damage func(f *fixture, shard int, anna store.Member) error
		want   []string
	}{
		"a member is missing": {func(f *fixture, shard int, anna store.Member) error {
			was := anna.Segments
			anna.Segments = nil
			return f.stores.PutMembers(f.Context(), shard, newest, []store.MemberChange{{Was: was, Now: anna}}, nil)
		}, []string{`segment "buyers": user "anna" is in it: true, published: false`, "by segment"}},
		"a timer is missing": {func(f *fixture, shard int, _ store.Member) error {
			return f.stores.DropTimers(f.Context(), shard, noon, noon.AddDate(1, 0, 0))
		}, []string{`user "anna": no timer at 2026-06-11 12:00:00`}},
		"nobody looks in time": {func(f *fixture, shard int, anna store.Member) error {
			anna.Due = time.Time{}
			return f.stores.PutMembers(f.Context(), shard, newest, []store.MemberChange{{Was: anna.Segments, Now: anna}}, nil)
		}, []string{`user "anna": its answers hold until 2026-06-11 12:00:00`}},
		"a size is wrong": {func(f *fixture, shard int, anna store.Member) error {
			return f.stores.PutMembers(f.Context(), shard, newest, nil, map[uint32]int64{anna.Segments[0]: 7})
		}, []string{"by user, a size of 7"}},
		"a member is nobody": {func(f *fixture, shard int, anna store.Member) error {
			ghost := store.Member{UserID: "ghost", Segments: anna.Segments}
			return f.stores.PutMembers(f.Context(), shard, newest, []store.MemberChange{{Now: ghost}}, nil)
		}, []string{`member "ghost", of whom nothing is known`, "by segment"}},
	} {
		t.Run(name, func(t *testing.T) {
			f, _, _ := published(t)
			f.must(f.publisher.Close())
			shard := store.ShardOf(event.User("anna"), f.stores.Shards())
			members, err := f.stores.Members(t.Context(), shard, []string{"anna"})
			f.must(err)
			f.must(tc.damage(f, shard, members[0]))
			report := f.verify()
			found := strings.Join(report.Examples, "\n")
			for _, want := range tc.want {
				if !strings.Contains(found, want) {
					t.Errorf("found\n%s\nwithout %q", found, want)
				}
			}
			if int(report.Differences) < len(tc.want) || int(report.Differences) > len(tc.want)+1 {
				t.Errorf("%d differences:\n%s", report.Differences, found)
			}
		})
	}
}

// TestTimersRingWithoutACheckpoint: whoever had a timer before it was lost is looked at, and by then has the next one.
func TestTimersRingWithoutACheckpoint(t *testing.T) {
	f := newFixture(t)
	away, gone := f.define("away", "last_seen.age > duration('240h')"), f.define("gone", "last_seen.age > duration('480h')")
	f.write(bought("1", "anna"))
	f.wants(f.define("buyers", "event_counts['purchase'] > 0"), "anna")
	f.must(f.publisher.Close())
	f.must(f.stores.SaveCheckpoint(t.Context(), "segments", []byte("damaged")))
	f.close()
	f.now.Add((250 * time.Hour).Microseconds())
	f.open()
	f.wants(away, "anna")
	f.now.Add((240 * time.Hour).Microseconds())
	f.wants(gone, "anna")
	if report := f.verify(); report.Differences != 0 || report.Members != 3 {
		t.Errorf("%+v", report)
	}
}
