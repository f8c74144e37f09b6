package audience

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/attune-shop/attune/model/cf/feedback"
	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/model/feature"
	"github.com/attune-shop/attune/model/likeness"
	"github.com/attune-shop/attune/model/segment"
	"github.com/attune-shop/attune/store/history"
	"github.com/attune-shop/attune/store/membership"
)

// everybody is what users did, by their names.
type everybody struct {
	mu     sync.Mutex
	states map[event.Visitor]*feature.State
	scans  int
}

func (e *everybody) EachUser(_ context.Context, fn func(history.Sighting) error) error {
	e.mu.Lock()
	e.scans++
	var users []event.Visitor
	for user := range e.states {
		users = append(users, user, user) // a scan may come by the same user more than once
	}
	e.mu.Unlock()
	for _, user := range users {
		if err := fn(history.Sighting{User: user}); err != nil {
			return err
		}
	}
	return nil
}

func (e *everybody) Person(_ context.Context, v event.Visitor) (history.Person, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return history.Person{Visitor: v, State: e.states[v]}, nil
}

// fill has half of 200 users buy a lamp, and the others look at a rug.
func (e *everybody) fill() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.states = map[event.Visitor]*feature.State{}
	for u := range 200 {
		did := event.Event{ID: "1", Type: event.Purchase, ItemID: "lamp", OccurredAt: began}
		if u%2 == 0 {
			did.Type, did.ItemID = event.ViewItem, "rug"
		}
		state := &feature.State{}
		state.Fold(&did)
		e.states[event.User(fmt.Sprint("u", u))] = state
	}
}

func openLookalikes(t *testing.T, e *everybody, m *memory, now func() time.Time) *Lookalikes {
	t.Helper()
	quiet := slog.New(slog.DiscardHandler)
	compiler, err := segment.NewCompiler()
	if err != nil {
		t.Fatal(err)
	}
	book, err := membership.OpenBook(t.Context(), m, compiler, quiet)
	if err != nil {
		t.Fatal(err)
	}
	l, err := OpenLookalikes(t.Context(), LookalikesOptions{
		Crowd: &Crowd{Users: e, People: e}, Book: book, Store: m, Now: now, Logger: quiet, Weights: feedback.DefaultWeights(),
		Subject: func(person *history.Person, now time.Time) *segment.Subject {
			return &segment.Subject{UserID: person.Visitor.ID(), State: person.State, Now: now}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func (l *Lookalikes) change(t *testing.T, change func(d *membership.Definitions) error) {
	t.Helper()
	if _, err := l.options.Book.Change(t.Context(), change); err != nil {
		t.Fatal(err)
	}
}

func (l *Lookalikes) define(t *testing.T, id, rule string) {
	t.Helper()
	l.change(t, func(d *membership.Definitions) error { return d.Add(membership.Segment{ID: id, Rule: rule}) })
}

// newest is what is known here of "vip".
func (l *Lookalikes) newest(t *testing.T) *LookalikesModel {
	t.Helper()
	of, err := l.options.Book.Current().Find("vip")
	if err != nil {
		t.Fatal(err)
	}
	return l.Current(of)
}

// TestLearnLookalikes: what one process learns another one finds, and nobody else learns meanwhile.
func TestLearnLookalikes(t *testing.T) {
	m, shop := newMemory(), &everybody{}
	one := openLookalikes(t, shop, m, time.Now)
	one.define(t, "vip", "purchases.all > 0")
	one.define(t, "alikes", "likeness['vip'] > 0.9")
	if _, err := one.Learn(t.Context(), "vip"); !errors.Is(err, likeness.ErrTooFew) {
		t.Errorf("from nothing: %v", err)
	}
	shop.fill()
	first, err := one.Learn(t.Context(), "vip")
	if err != nil || first.Version != 1 || first.Report.Members != 100 || first.Report.Others != 100 || one.newest(t) != first {
		t.Fatalf("learned %+v: %v", first, err)
	}
	two := openLookalikes(t, shop, m, time.Now)
	if found := two.newest(t); found == nil || found.Version != 1 || found.Report.Likeness != first.Report.Likeness {
		t.Errorf("opened %+v", found)
	}
	if second, err := two.Learn(t.Context(), "vip"); err != nil || second.Version != 2 {
		t.Errorf("learned %+v: %v", second, err)
	}
	of, _ := one.options.Book.Current().Find("vip")
	if found, err := one.Newest(t.Context(), of); err != nil || found.Version != 2 || one.newest(t) != found {
		t.Errorf("found %+v: %v", found, err)
	}
	m.holders[lookalikesName+"vip"] = "another"
	if _, err := one.Learn(t.Context(), "vip"); !errors.Is(err, event.ErrBusy) {
		t.Errorf("while another learns: %v", err)
	}
	one.define(t, "lookers", "event_counts['view_item'] > 0")
	one.fitting.Lock()
	if _, err := one.Learn(t.Context(), "lookers"); !errors.Is(err, event.ErrBusy) {
		t.Errorf("while it learns of another segment: %v", err)
	}
	one.fitting.Unlock()
	if _, err := one.Learn(t.Context(), "lookers"); err != nil {
		t.Error(err)
	}
	var invalid *event.InvalidError
	if _, err := one.Learn(t.Context(), "alikes"); !errors.As(err, &invalid) {
		t.Errorf("of one that reads likeness itself: %v", err)
	}
	if _, err := one.Learn(t.Context(), "none"); !errors.Is(err, event.ErrNotFound) {
		t.Errorf("of none: %v", err)
	}
	for _, text := range []string{`{"form":1,"value":{"version":3}}`, `{"form":2}`, `{`} {
		m.values[lookalikesName+"vip"] = []byte(text)
		m.versions[lookalikesName+"vip"]++
		if found := openLookalikes(t, shop, m, time.Now).newest(t); found != nil {
			t.Errorf("%s is taken for %+v", text, found)
		}
	}
}

// TestTendLookalikes lets days go by.
func TestTendLookalikes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, shop := newMemory(), &everybody{}
		l := openLookalikes(t, shop, m, time.Now)
		other := openLookalikes(t, shop, m, time.Now)
		ctx, stop := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { l.Tend(ctx) })
		running.Go(func() { other.Follow(ctx) })
		running.Go(func() { other.options.Book.Follow(ctx) })
		defer func() { stop(); running.Wait() }()
		expect := func(scans int, version int64, when string) {
			t.Helper()
			time.Sleep(2 * time.Second) // for the other process to see it
			synctest.Wait()
			for _, x := range []*Lookalikes{l, other} {
				var got int64
				if learned := x.newest(t); learned != nil {
					got = learned.Version
				}
				shop.mu.Lock()
				if got != version || shop.scans != scans {
					t.Errorf("%s: version %d after %d scans, want %d after %d", when, got, shop.scans, version, scans)
				}
				shop.mu.Unlock()
			}
		}
		l.define(t, "vip", "purchases.all > 0")
		time.Sleep(48 * time.Hour)
		expect(0, 0, "nobody reads it")
		l.define(t, "alikes", "likeness['vip'] > 0.9")
		expect(1, 0, "with nothing to learn from")
		shop.fill()
		time.Sleep(23 * time.Hour)
		l.define(t, "more", "likeness_rank['vip'] < 9")
		expect(1, 0, "that was too little a while ago")
		time.Sleep(2 * time.Hour)
		expect(2, 1, "a day later")
		time.Sleep(25 * time.Hour)
		expect(3, 2, "another day later")
		l.change(t, func(d *membership.Definitions) error {
			return d.Update("vip", func(s *membership.Segment) { s.Rule = "purchases.all == 0" })
		})
		expect(4, 3, "by another rule of the seed")
		l.change(t, func(d *membership.Definitions) error {
			return errors.Join(d.Remove("alikes"), d.Remove("more"), d.Remove("vip"))
		})
		l.define(t, "vip", "purchases.all > 0")
		expect(4, 0, "of another segment of that name")
		l.define(t, "alikes", "likeness['vip'] > 0.9")
		expect(5, 4, "the first that reads it")
	})
}
