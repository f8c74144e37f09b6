package membership_test

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/model/segment"
	"github.com/attune-shop/attune/store"
	"github.com/attune-shop/attune/store/embedded"
	"github.com/attune-shop/attune/store/history"
	"github.com/attune-shop/attune/store/membership"
)

var noon = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

// fixture is a publisher over a folder, with a clock that the test moves.
type fixture struct {
	*testing.T
	dir       string
	now       atomic.Int64
	stores    store.Stores
	past      *history.History
	book      *membership.Book
	publisher *membership.Publisher
	reader    *membership.Reader
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	f := &fixture{T: t, dir: t.TempDir()}
	f.now.Store(noon.UnixMicro())
	f.open()
	t.Cleanup(func() { f.close() })
	return f
}

func (f *fixture) clock() time.Time { return time.UnixMicro(f.now.Load()).UTC() }

func (f *fixture) must(err error) {
	f.Helper()
	if err != nil {
		f.Fatal(err)
	}
}

func (f *fixture) open() {
	f.Helper()
	quiet := slog.New(slog.DiscardHandler)
	var err error
	f.stores, err = embedded.Open(f.dir, embedded.Options{Logger: quiet, Shards: 4})
	f.must(err)
	f.past, err = history.Open(f.Context(), f.stores, history.Options{Now: f.clock, Logger: quiet})
	f.must(err)
	compiler, err := segment.NewCompiler()
	f.must(err)
	f.book, err = membership.OpenBook(f.Context(), f.stores, compiler, quiet)
	f.must(err)
	f.publisher = membership.Open(f.Context(), f.options())
	f.reader = membership.NewReader(f.stores)
}

// options are what members are published by.
func (f *fixture) options() membership.Options {
	return membership.Options{
		Log: f.past, People: f.past, Store: f.stores, Book: f.book, Now: f.clock, Logger: slog.New(slog.DiscardHandler),
		Subject: func(p *history.Person, now time.Time) *segment.Subject {
			return &segment.Subject{UserID: p.Visitor.ID(), AnonymousIDs: p.AnonymousIDs, State: p.State, Now: now}
		},
		Basis: func(segment.Reads) string { return "" },
	}
}

func (f *fixture) close() {
	f.Helper()
	f.must(f.publisher.Close())
	f.must(f.past.Close())
	f.must(f.stores.Close())
}

// define adds a segment and returns its number.
func (f *fixture) define(id, rule string) uint32 {
	f.Helper()
	edition, err := f.book.Change(f.Context(), func(d *membership.Definitions) error {
		return d.Add(membership.Segment{ID: id, Rule: rule, CreatedAt: f.clock()})
	})
	f.must(err)
	found, err := edition.Find(id)
	f.must(err)
	return found.Number
}

func (f *fixture) write(events ...event.Event) {
	f.Helper()
	for i := range events {
		if events[i].OccurredAt.IsZero() {
			events[i].OccurredAt = f.clock()
		}
		events[i].Complete(f.clock())
	}
	_, err := f.past.Write(f.Context(), events)
	f.must(err)
}

func (f *fixture) members(number uint32) []string {
	f.Helper()
	var all []string
	f.must(f.reader.Each(f.Context(), number, func(id string) error { all = append(all, id); return nil }))
	slices.Sort(all)
	return all
}

// wants waits until a segment has these members, and its size is their number.
func (f *fixture) wants(number uint32, want ...string) {
	f.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		got := f.members(number)
		size, err := f.reader.Size(f.Context(), number)
		f.must(err)
		if slices.Equal(got, want) && size == int64(len(want)) {
			return
		}
		if time.Now().After(deadline) {
			f.Fatalf("segment %d has %v, a size of %d, want %v", number, got, size, want)
		}
	}
}

// folded returns the changes of a segment in the order of users, as "user+ user-".
func (f *fixture) folded(number uint32) string {
	f.Helper()
	from, err := f.reader.Beginning(f.Context(), noon)
	f.must(err)
	byUser := map[string]string{}
	ctx, stop := contextUntilIdle(f)
	defer stop()
	_ = f.reader.Watch(ctx, number, from, func(changes []membership.Change, _ membership.Cursor) error {
		for _, c := range changes {
			sign := "-"
			if c.Entered {
				sign = "+"
			}
			byUser[c.UserID] += sign
		}
		return nil
	})
	var said []string
	for _, id := range slices.Sorted(maps.Keys(byUser)) {
		said = append(said, id+byUser[id])
	}
	return strings.Join(said, " ")
}

func view(id, user string) event.Event {
	return event.Event{ID: id, Type: event.ViewItem, UserID: user, ItemID: "lamp"}
}

// TestTimeAloneMovesUsers: nobody does anything, and users enter and leave at the moment that their
// rules name.
func TestTimeAloneMovesUsers(t *testing.T) {
	f := newFixture(t)
	quiet := f.define("quiet", "now - last_seen_at > duration('48h')")
	today := f.define("today", "types.exists(t, t.counts.d1 > 0)")
	f.write(view("1", "ann"), view("2", "bob"))
	f.wants(today, "ann", "bob")
	f.wants(quiet)
	f.now.Store(noon.Add(13 * time.Hour).UnixMicro()) // the next day
	f.wants(today)
	f.write(view("3", "bob"))
	f.wants(today, "bob")
	f.now.Store(noon.Add(48 * time.Hour).UnixMicro()) // not yet
	f.wants(today)
	f.wants(quiet)
	f.now.Store(noon.Add(48*time.Hour + time.Millisecond).UnixMicro())
	f.wants(quiet, "ann")
	// The rest passes while nobody publishes.
	f.close()
	f.now.Store(noon.Add(100 * time.Hour).UnixMicro())
	f.open()
	f.wants(quiet, "ann", "bob")
	f.write(view("4", "ann"))
	f.wants(quiet, "bob")
	if got, want := f.folded(quiet), "ann+- bob+"; got != want {
		t.Errorf("changes %q, want %q", got, want)
	}
	if got, want := f.folded(today), "ann+-+ bob+-+-"; got != want {
		t.Errorf("changes %q, want %q", got, want)
	}
}

// TestClockIsPutBack: a clock that was a year ahead for a while, also through a restart, leaves nothing behind.
func TestClockIsPutBack(t *testing.T) {
	f := newFixture(t)
	quiet := f.define("quiet", "now - last_seen_at > duration('48h')")
	f.write(view("1", "ann"), view("2", "bob"))
	f.wants(quiet)
	f.now.Store(noon.AddDate(1, 0, 0).UnixMicro())
	f.wants(quiet, "ann", "bob")
	f.now.Store(noon.Add(time.Hour).UnixMicro())
	f.wants(quiet)
	f.write(view("3", "bob"))
	f.now.Store(noon.Add(48*time.Hour + time.Second).UnixMicro())
	f.wants(quiet, "ann")
	f.now.Store(noon.AddDate(1, 0, 0).UnixMicro())
	f.wants(quiet, "ann", "bob")
	f.close()
	f.now.Store(noon.Add(48*time.Hour + time.Minute).UnixMicro())
	f.open()
	f.wants(quiet, "ann")
	f.now.Store(noon.Add(50 * time.Hour).UnixMicro())
	f.wants(quiet, "ann", "bob")
	if got, want := f.folded(quiet), "ann+-+ bob+-+-+"; got != want {
		t.Errorf("changes %q, want %q", got, want)
	}
}

// TestWhoDidNothingThatARuleReads is a member from the first event on, whatever that is.
func TestWhoDidNothingThatARuleReads(t *testing.T) {
	f := newFixture(t)
	never := f.define("never", "event_counts['purchase'] == 0")
	f.write(view("1", "ann"))
	f.wants(never, "ann")
	f.write(event.Event{ID: "2", Type: event.Search, UserID: "bob", SearchQuery: "lamp"})
	f.wants(never, "ann", "bob")
}

// TestLinksMoveUsers: what was done anonymously counts for the user who turns out to have done it,
// and for another where an earlier link comes late.
func TestLinksMoveUsers(t *testing.T) {
	f := newFixture(t)
	viewers := f.define("viewers", "event_counts['view_item'] > 1")
	for n := range 3 {
		f.write(event.Event{ID: fmt.Sprint(n), Type: event.ViewItem, AnonymousID: "cookie", ItemID: "lamp"})
	}
	f.write(event.Event{ID: "link", Type: event.PageView, UserID: "ann", AnonymousID: "cookie"})
	f.wants(viewers, "ann")
	f.write(event.Event{ID: "late", Type: event.PageView, UserID: "bob", AnonymousID: "cookie", OccurredAt: noon.Add(-time.Hour)})
	f.wants(viewers, "bob")
	if got, want := f.folded(viewers), "ann+- bob+"; got != want {
		t.Errorf("changes %q, want %q", got, want)
	}
}

// TestDefinitionsChange: another rule says who enters and who leaves, a deleted segment leaves
// nothing, and one of its id begins anew.
func TestDefinitionsChange(t *testing.T) {
	f := newFixture(t)
	f.write(view("1", "ann"), view("2", "bob"), view("3", "bob"))
	first := f.define("viewers", "event_counts['view_item'] >= 1")
	f.wants(first, "ann", "bob")
	_, err := f.book.Change(t.Context(), func(d *membership.Definitions) error {
		return d.Update("viewers", func(s *membership.Segment) { s.Rule = "event_counts['view_item'] == 2" })
	})
	f.must(err)
	f.wants(first, "bob")
	if got, want := f.folded(first), "ann+- bob+"; got != want {
		t.Errorf("changes %q, want %q", got, want)
	}
	_, err = f.book.Change(t.Context(), func(d *membership.Definitions) error { return d.Remove("viewers") })
	f.must(err)
	second := f.define("viewers", "event_counts['view_item'] == 1")
	f.wants(first)
	f.wants(second, "ann")
	f.write(view("4", "ann"))
	f.wants(second)
}

// TestSnapshotIsOfOneMoment: members that are told as a watch begins and the changes after them
// add up, whatever happens meanwhile.
func TestSnapshotIsOfOneMoment(t *testing.T) {
	f := newFixture(t)
	even := f.define("even", "event_counts['view_item'] % 2 == 0")
	stop := make(chan struct{})
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for n := 0; ; n++ {
			select {
			case <-stop:
				return
			default:
				f.write(view(fmt.Sprint(n), fmt.Sprint("user-", n%50)))
			}
		}
	}()
	for range 20 {
		in := map[string]bool{}
		cursor, err := f.reader.Snapshot(t.Context(), even, func(id string) error {
			if in[id] {
				t.Errorf("%s twice", id)
			}
			in[id] = true
			return nil
		})
		f.must(err)
		ctx, done := contextUntilIdle(f)
		_ = f.reader.Watch(ctx, even, cursor, func(changes []membership.Change, _ membership.Cursor) error {
			for _, c := range changes {
				if in[c.UserID] == c.Entered {
					t.Errorf("%s entered: %v, once more", c.UserID, c.Entered)
				}
				in[c.UserID] = c.Entered
			}
			return nil
		})
		done()
	}
	close(stop)
	<-ended
}

// contextUntilIdle is one for what is there already, as a watch has no end.
func contextUntilIdle(f *fixture) (context.Context, context.CancelFunc) {
	return context.WithTimeout(f.Context(), 300*time.Millisecond)
}
