package audience

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/model/propensity"
	"github.com/attune-shop/attune/model/segment"
	"github.com/attune-shop/attune/store"
	"github.com/attune-shop/attune/store/membership"
)

// memory is a Store of one process and its neighbours.
type memory struct {
	mu       sync.Mutex
	values   map[string][]byte
	versions map[string]int
	holders  map[string]string
}

func newMemory() *memory {
	return &memory{values: map[string][]byte{}, versions: map[string]int{}, holders: map[string]string{}}
}

func (m *memory) version(name string) string {
	if n := m.versions[name]; n > 0 {
		return strconv.Itoa(n)
	}
	return ""
}

func (m *memory) Register(_ context.Context, name string) (value []byte, version string, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.values[name]), m.version(name), nil
}

func (m *memory) SetRegister(_ context.Context, name, instead string, value []byte) (string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if instead != m.version(name) {
		return "", store.ErrTaken
	}
	m.values[name] = slices.Clone(value)
	m.versions[name]++
	return m.version(name), nil
}

func (m *memory) Lease(_ context.Context, name, holder string, _ time.Duration) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if now, held := m.holders[name]; held && now != holder {
		return event.ErrBusy
	}
	m.holders[name] = holder
	return nil
}

func (m *memory) EndLease(_ context.Context, name, holder string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.holders[name] == holder {
		delete(m.holders, name)
	}
	return nil
}

// place is what one visitor did, and who that is.
type place struct {
	owner  event.Visitor
	events []event.Event
}

// past is a History. between is called before the second scan of each two.
type past struct {
	mu      sync.Mutex
	places  []place
	scans   int
	between func()
}

func (p *past) Scan(_ context.Context, fn func(event.Visitor, []event.Event) error) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.scans++; p.scans%2 == 0 && p.between != nil {
		p.between()
	}
	for _, x := range p.places {
		if err := fn(x.owner, slices.Clone(x.events)); err != nil {
			return err
		}
	}
	return nil
}

var began = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)

// days returns an event of a type on each of some days.
func days(t event.Type, on ...int) (events []event.Event) {
	for _, d := range on {
		events = append(events, event.Event{ID: fmt.Sprint(t, d), Type: t, OccurredAt: began.AddDate(0, 0, d)})
	}
	return events
}

// TestGather: each user comes once, with what happened in all places.
func TestGather(t *testing.T) {
	anna, ben, cleo, dora, visitor := event.User("anna"), event.User("ben"), event.User("cleo"), event.User("dora"), event.Anonymous("x")
	p := &past{places: []place{
		{anna, days("view_item", 3)}, {visitor, days("view_item", 0)}, {ben, days("search", 9, 2)}, {anna, days("search", 5, 4)},
		{cleo, days("search", 1)}, {anna, days("purchase", 1)}, {cleo, days("search", 7)},
	}}
	p.between = func() { // cleo's other place is gone, dora is new, and ben has one place more
		p.places = append(p.places[:6:6], place{dora, days("search", 3)}, place{ben, days("view_item", 9)})
	}
	g, err := gather(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	if g.users != 3 || g.events != 8 || !g.from.Equal(began.AddDate(0, 0, 1)) || !g.to.Equal(began.AddDate(0, 0, 9).Add(time.Microsecond)) {
		t.Errorf("%+v", g)
	}
	got := map[string][]string{}
	err = g.each(t.Context(), func(user event.Visitor, events []event.Event) {
		if _, twice := got[user.ID()]; twice {
			t.Errorf("%s comes twice", user)
		}
		for i := range events {
			got[user.ID()] = append(got[user.ID()], events[i].ID)
		}
	})
	want := map[string][]string{"anna": {"view_item3", "search5", "search4", "purchase1"}, "ben": {"search9", "search2"}, "cleo": {"search1"}}
	if err != nil || !maps.EqualFunc(got, want, slices.Equal) {
		t.Errorf("%v: %v", got, err)
	}
}

// enough is a history to learn from: some purchase every few days, some never.
func enough() *past {
	p := &past{}
	for u := range 60 {
		x := place{owner: event.User(fmt.Sprint("u", u))}
		for d := u % 4; d < 70; d += 4 {
			x.events = append(x.events, days("view_item", d)...)
			if u%3 == 0 {
				x.events = append(x.events, days("purchase", d)...)
			}
		}
		p.places = append(p.places, x)
	}
	return p
}

func openBuyers(t *testing.T, h History, m *memory) *Buyers {
	t.Helper()
	b, err := OpenBuyers(t.Context(), BuyersOptions{History: h, Store: m, Now: time.Now, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestLearn: what one process learns another one finds, and nobody else learns meanwhile.
func TestLearn(t *testing.T) {
	m := newMemory()
	one, two := openBuyers(t, enough(), m), openBuyers(t, enough(), m)
	first, err := one.Learn(t.Context())
	if err != nil || first.Version != 1 || one.Current() != first || first.Users != 60 || first.Report.All.Model.AUC < .9 {
		t.Fatalf("learned %+v: %v", first, err)
	}
	if second, err := two.Learn(t.Context()); err != nil || second.Version != 2 {
		t.Errorf("learned %+v: %v", second, err)
	}
	if err := one.learner.refresh(t.Context()); err != nil || one.Current().Version != 2 {
		t.Errorf("found %+v: %v", one.Current(), err)
	}
	if third := openBuyers(t, enough(), m).Current(); third.Version != 2 || third.Report.All.Model.AUC != first.Report.All.Model.AUC || third.Model == nil {
		t.Errorf("opened %+v", third)
	}
	m.holders[buyersName] = "another"
	if _, err := one.Learn(t.Context()); !errors.Is(err, event.ErrBusy) {
		t.Errorf("while another learns: %v", err)
	}
	delete(m.holders, buyersName)
	if _, err := openBuyers(t, &past{}, m).Learn(t.Context()); !errors.Is(err, propensity.ErrTooLittle) {
		t.Errorf("from nothing: %v", err)
	}
}

// TestKept: what is not understood is done without, and stays where a newer release wrote it.
func TestKept(t *testing.T) {
	for text, want := range map[string]error{
		`{"form":2,"value":{}}`: event.ErrNewerVersion,
		`{"form":1,"value":{"version":1,"report":{},"model":{"version":99}}}`: event.ErrNewerVersion,
		`{"form":1}`:            event.ErrCorrupt,
		`{"form":1,"value":{}}`: event.ErrCorrupt,
		`{"form":1`:             event.ErrCorrupt,
	} {
		m := newMemory()
		m.values[buyersName], m.versions[buyersName] = []byte(text), 3
		k := kept[BuyersModel]{registers: m, name: buyersName}
		if err := k.refresh(t.Context()); !errors.Is(err, want) {
			t.Errorf("%s: %v", text, err)
		}
		if err := k.refresh(t.Context()); err != nil || k.current.Load() != nil {
			t.Errorf("%s, seen before: %v", text, err)
		}
		b := openBuyers(t, enough(), m)
		learned, err := b.Learn(t.Context())
		if stays := errors.Is(want, event.ErrNewerVersion); stays != errors.Is(err, want) || stays == (learned != nil) {
			t.Errorf("%s: learned %+v: %v", text, learned, err)
		}
	}
	m := newMemory()
	k := kept[BuyersModel]{registers: m, name: buyersName}
	m.versions[buyersName]++
	if _, err := k.replace(t.Context(), func(*BuyersModel) *BuyersModel { return &BuyersModel{} }); !errors.Is(err, event.ErrBusy) {
		t.Errorf("in the place of what was not read: %v", err)
	}
}

// TestTend lets days go by.
func TestTend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		compiler, err := segment.NewCompiler()
		if err != nil {
			t.Fatal(err)
		}
		book, err := membership.OpenBook(t.Context(), m, compiler, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		history := &past{}
		b := openBuyers(t, history, m)
		since := time.Now()
		b.options.Now = func() time.Time { return began.AddDate(0, 0, 70).Add(time.Since(since)) }
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { defer close(ended); b.Tend(ctx, book) }()
		defer func() { stop(); <-ended }()
		change := func(change func(d *membership.Definitions) error) {
			t.Helper()
			if _, err := book.Change(t.Context(), change); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		define := func(id, rule string) {
			t.Helper()
			change(func(d *membership.Definitions) error { return d.Add(membership.Segment{ID: id, Rule: rule}) })
		}
		expect := func(scans int, version int64, when string) {
			t.Helper()
			synctest.Wait()
			var got int64
			if learned := b.Current(); learned != nil {
				got = learned.Version
			}
			history.mu.Lock()
			defer history.mu.Unlock()
			if got != version || history.scans != scans {
				t.Errorf("%s: version %d after %d scans, want %d after %d", when, got, history.scans, version, scans)
			}
		}
		define("all", "true")
		time.Sleep(48 * time.Hour)
		expect(0, 0, "nobody reads it")
		define("likely", "likelihood.purchase_7d > 0.1")
		expect(1, 0, "with nothing to learn from")
		history.mu.Lock()
		history.places = enough().places
		history.mu.Unlock()
		time.Sleep(23 * time.Hour)
		define("others", "likelihood.purchase_7d < 0.1")
		expect(1, 0, "that was too little a while ago")
		time.Sleep(2 * time.Hour)
		expect(3, 1, "a day later")
		time.Sleep(25 * time.Hour)
		expect(5, 2, "another day later")
		change(func(d *membership.Definitions) error { return errors.Join(d.Remove("likely"), d.Remove("others")) })
		time.Sleep(48 * time.Hour)
		expect(5, 2, "nobody reads it any more")
		define("likely", "likelihood.purchase_7d > 0.1")
		expect(7, 3, "the first that reads it")
	})
}
