package training

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/durationpb"

	attunev1 "github.com/attune-shop/attune/gen/attune/v1"
	"github.com/attune-shop/attune/model/cf"
	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/store"
	"github.com/attune-shop/attune/store/lease"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// shelf keeps versions in memory, by the contract of store.Models.
type shelf struct {
	models   []store.Model // newest first
	payloads map[string][]byte
	active   string
	full     bool
	saved    func() // runs once a version is saved

	leases sync.Mutex
	holder string
}

func (s *shelf) Lease(_ context.Context, _, holder string, _ time.Duration) error {
	s.leases.Lock()
	defer s.leases.Unlock()
	if s.holder != "" && s.holder != holder {
		return event.ErrBusy
	}
	s.holder = holder
	return nil
}

func (s *shelf) EndLease(_ context.Context, _, holder string) error {
	s.leases.Lock()
	defer s.leases.Unlock()
	if s.holder == holder {
		s.holder = ""
	}
	return nil
}

func (s *shelf) Shared() bool { return false }

func (s *shelf) SaveModel(_ context.Context, m store.Model, payload io.Reader) error {
	if s.full {
		return fmt.Errorf("disk: %w", event.ErrExhausted)
	}
	data, err := io.ReadAll(payload)
	if err != nil {
		return err
	}
	s.payloads[m.Version] = data
	s.models = append(s.models, m)
	slices.SortFunc(s.models, func(a, b store.Model) int { return strings.Compare(b.Version, a.Version) })
	if s.saved != nil {
		s.saved()
	}
	return nil
}

func (s *shelf) OpenModel(_ context.Context, version string) (io.ReadCloser, error) {
	data, ok := s.payloads[version]
	if !ok {
		return nil, event.ErrNotFound
	}
	return io.NopCloser(bytes.NewReader(data)), nil
}

func (s *shelf) Models(context.Context) ([]store.Model, error) { return slices.Clone(s.models), nil }

func (s *shelf) ActiveModel(context.Context) (string, error) {
	if s.active == "" {
		return "", event.ErrNotFound
	}
	return s.active, nil
}

func (s *shelf) SetActiveModel(_ context.Context, version string) error {
	if _, ok := s.payloads[version]; !ok {
		return event.ErrNotFound
	}
	s.active = version
	return nil
}

func (s *shelf) DeleteModel(_ context.Context, version string) error {
	if version == s.active {
		return event.ErrBusy
	}
	delete(s.payloads, version)
	s.models = slices.DeleteFunc(s.models, func(m store.Model) bool { return m.Version == version })
	return nil
}

// past is a history by visitor.
type past struct {
	visitors []event.Visitor
	events   map[event.Visitor][]event.Event
	during   func()
}

func (p *past) add(e event.Event) {
	v := e.Visitor()
	if p.events == nil {
		p.events = map[event.Visitor][]event.Event{}
	}
	if _, ok := p.events[v]; !ok {
		p.visitors = append(p.visitors, v)
	}
	p.events[v] = append(p.events[v], e)
}

func (p *past) Scan(_ context.Context, fn func(event.Visitor, []event.Event) error) error {
	for _, v := range p.visitors {
		if p.during != nil {
			p.during()
		}
		if err := fn(v, p.events[v]); err != nil {
			return err
		}
	}
	return nil
}

// stream takes what Train sends.
type stream struct {
	grpc.ServerStream
	ctx       context.Context
	responses []*attunev1.TrainResponse
	send      func(*attunev1.TrainResponse) error
}

func (s *stream) Context() context.Context { return s.ctx }

func (s *stream) Send(r *attunev1.TrainResponse) error {
	s.responses = append(s.responses, r)
	if s.send != nil {
		return s.send(r)
	}
	return nil
}

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// twoTastes is a history in which visitors like the items of one of two shelves.
func twoTastes() *past {
	p := &past{}
	for u := range 60 {
		for k := range 8 {
			p.add(event.Event{
				Type: event.ViewItem, UserID: fmt.Sprint("u", u), ItemID: fmt.Sprint("i", u%2*20+(u*7+k*3)%20),
				OccurredAt: start.Add(time.Duration(k) * time.Hour),
			})
		}
	}
	return p
}

type fixture struct {
	*Service
	shelf  *shelf
	holder *Holder
	log    *bytes.Buffer
	clock  time.Time
}

func newFixture(source Source, config Config) *fixture {
	f := &fixture{shelf: &shelf{payloads: map[string][]byte{}}, holder: &Holder{}, log: &bytes.Buffer{}, clock: start}
	f.Service = New(source, f.shelf, f.holder, Options{
		Config: config, Now: func() time.Time { return f.clock }, Logger: slog.New(slog.NewTextHandler(f.log, nil)),
	})
	return f
}

func (f *fixture) train(t *testing.T, request *attunev1.TrainRequest) *attunev1.Model {
	t.Helper()
	s := &stream{ctx: t.Context()}
	if err := f.Train(request, s); err != nil {
		t.Fatal(err)
	}
	last := s.responses[len(s.responses)-1]
	if last.GetPhase() != attunev1.TrainPhase_DONE || last.GetModel() == nil {
		t.Fatalf("the last response is %v", last)
	}
	return last.GetModel()
}

func TestTrainTellsItsPhasesAndServes(t *testing.T) {
	f := newFixture(twoTastes(), Config{})
	s := &stream{ctx: t.Context()}
	if err := f.Train(&attunev1.TrainRequest{}, s); err != nil {
		t.Fatal(err)
	}
	var phases []attunev1.TrainPhase
	evaluated := map[string]bool{}
	for _, r := range s.responses {
		phases = append(phases, r.GetPhase())
		if r.GetEvaluation() != nil {
			evaluated[r.GetEvaluation().GetAlgorithm()] = true
		}
	}
	if !slices.IsSorted(phases) || len(slices.Compact(phases)) != 5 || len(evaluated) != 6 {
		t.Fatalf("phases %v, evaluated %v", phases, evaluated)
	}
	model := s.responses[len(s.responses)-1].GetModel()
	snapshot, version := f.holder.Active()
	if snapshot == nil || version != model.GetVersion() || f.shelf.active != version || !model.GetActive() {
		t.Fatalf("in service %q, in the store %q, trained %v", version, f.shelf.active, model)
	}
	if want := "20260301T120000.000Z-" + model.GetAlgorithm(); version != want {
		t.Errorf("version %q, want %q", version, want)
	}
	if model.GetUsers() != 60 || model.GetItems() != 40 || model.GetInteractions() != 480 ||
		model.GetSizeBytes() != int64(len(f.shelf.payloads[version])) || model.GetChoice() == "" || len(model.GetEvaluations()) != 6 {
		t.Errorf("%v", model)
	}
	if got, err := f.GetModel(t.Context(), &attunev1.GetModelRequest{Version: "active"}); err != nil || got.GetVersion() != version {
		t.Errorf("active: %v, %v", got, err)
	}
}

// TestAnObjectiveSaysWhatIsHeldOut: a training is evaluated by lists of the length asked for, on
// what the objective holds out.
func TestAnObjectiveSaysWhatIsHeldOut(t *testing.T) {
	f := newFixture(twoTastes(), Config{})
	about := map[string]bool{}
	for number := range attunev1.Objective_name {
		model := f.train(t, &attunev1.TrainRequest{Algorithm: cf.ItemKNN, Objective: attunev1.Objective(number), Limit: 7, IncludeSeen: true})
		for _, e := range model.GetEvaluations() { // none where no visit has two things
			if _, ok := e.GetMetrics()["ndcg@7"]; !ok {
				t.Errorf("objective %d: %v", number, e)
			}
		}
		about[model.GetChoice()] = true
	}
	if len(about) != len(attunev1.Objective_name)-1 {
		t.Errorf("unspecified is not one of the objectives, or two are the same: %v", about)
	}
}

func TestKeepActiveAndRollBack(t *testing.T) {
	f := newFixture(twoTastes(), Config{})
	first := f.train(t, &attunev1.TrainRequest{Algorithm: cf.ItemKNN})
	second := f.train(t, &attunev1.TrainRequest{Algorithm: cf.EASE, KeepActive: true})
	if second.GetVersion() <= first.GetVersion() || second.GetActive() {
		t.Fatalf("%v after %v", second, first)
	}
	if _, version := f.holder.Active(); version != first.GetVersion() {
		t.Fatalf("%s serves", version)
	}
	for _, version := range []string{second.GetVersion(), first.GetVersion()} {
		got, err := f.ActivateModel(t.Context(), &attunev1.ActivateModelRequest{Version: version})
		if err != nil || !got.GetActive() {
			t.Fatal(got, err)
		}
		if _, serving := f.holder.Active(); serving != version || f.shelf.active != version {
			t.Fatalf("%s serves, %s is active", serving, f.shelf.active)
		}
	}
	f.shelf.payloads[second.GetVersion()][20] ^= 1
	if _, err := f.ActivateModel(t.Context(), &attunev1.ActivateModelRequest{Version: second.GetVersion()}); !errors.Is(err, event.ErrCorrupt) {
		t.Fatalf("activate a damaged one: %v", err)
	}
	if _, serving := f.holder.Active(); serving != first.GetVersion() {
		t.Fatalf("%s serves", serving)
	}
}

func TestOnlyTheNewestAndTheActiveAreKept(t *testing.T) {
	f := newFixture(twoTastes(), Config{KeepModels: 2})
	first := f.train(t, &attunev1.TrainRequest{Algorithm: cf.Popularity})
	for range 4 {
		f.train(t, &attunev1.TrainRequest{Algorithm: cf.Popularity, KeepActive: true})
	}
	if len(f.shelf.models) != 3 || f.shelf.models[2].Version != first.GetVersion() {
		t.Fatalf("%v", f.shelf.models)
	}
}

func TestLoadFallsBack(t *testing.T) {
	f := newFixture(twoTastes(), Config{})
	var versions []string
	for range 4 {
		versions = append(versions, f.train(t, &attunev1.TrainRequest{Algorithm: cf.Popularity}).GetVersion())
	}
	restart := func(active string) string {
		t.Helper()
		f.shelf.active = active
		next := newFixture(twoTastes(), Config{})
		next.store = f.shelf
		if err := next.Load(t.Context()); err != nil {
			t.Fatal(err)
		}
		f.log = next.log
		_, version := next.holder.Active()
		return version
	}
	if got := restart(versions[3]); got != versions[3] || f.log.Len() > 0 {
		t.Fatalf("%s serves: %s", got, f.log)
	}
	f.shelf.payloads[versions[2]] = f.shelf.payloads[versions[2]][:30]
	f.shelf.payloads[versions[1]][40] ^= 8
	if got := restart(versions[2]); got != versions[0] || !strings.Contains(f.log.String(), "CANNOT BE READ") {
		t.Fatalf("%s serves: %s", got, f.log)
	}
	delete(f.shelf.payloads, versions[0])
	if got := restart(versions[2]); got != "" || !strings.Contains(f.log.String(), "NO MODEL") {
		t.Fatalf("%s serves: %s", got, f.log)
	}
	if got := restart(""); got != "" || f.log.Len() > 0 {
		t.Fatalf("%s serves: %s", got, f.log)
	}
}

func TestOneTrainingAtATime(t *testing.T) {
	source := twoTastes()
	f := newFixture(source, Config{})
	tried := 0
	source.during = func() {
		tried++
		if err := f.Train(&attunev1.TrainRequest{}, &stream{ctx: t.Context()}); !errors.Is(err, event.ErrBusy) {
			t.Errorf("a second training: %v", err)
		}
	}
	f.train(t, &attunev1.TrainRequest{Algorithm: cf.Popularity})
	if tried == 0 {
		t.Fatal("not tried")
	}
}

// TestAClientThatGoesStopsTheTraining at each response, and another training may follow.
func TestAClientThatGoesStopsTheTraining(t *testing.T) {
	f := newFixture(twoTastes(), Config{})
	full := &stream{ctx: t.Context()}
	if err := f.Train(&attunev1.TrainRequest{KeepActive: true}, full); err != nil {
		t.Fatal(err)
	}
	kept := len(f.shelf.models)
	for at, response := range full.responses {
		saved := response.GetPhase() == attunev1.TrainPhase_DONE || response.GetPhase() == attunev1.TrainPhase_SAVE && response.GetProgress() == 1
		ctx, cancel := context.WithCancel(t.Context())
		s := &stream{ctx: ctx}
		s.send = func(*attunev1.TrainResponse) error {
			if len(s.responses) > at {
				cancel()
			}
			return nil
		}
		err := f.Train(&attunev1.TrainRequest{KeepActive: true}, s)
		cancel()
		if saved {
			break
		}
		if !errors.Is(err, context.Canceled) || len(f.shelf.models) != kept {
			t.Fatalf("gone at %v: %v, %d models", response, err, len(f.shelf.models))
		}
		broken := errors.New("broken pipe")
		s = &stream{ctx: t.Context()}
		s.send = func(*attunev1.TrainResponse) error {
			if len(s.responses) > at {
				return broken
			}
			return nil
		}
		if err := f.Train(&attunev1.TrainRequest{KeepActive: true}, s); !errors.Is(err, broken) || len(f.shelf.models) != kept {
			t.Fatalf("broken at %v: %v, %d models", response, err, len(f.shelf.models))
		}
	}
}

func TestAFullDiskLeavesTheModelInService(t *testing.T) {
	f := newFixture(twoTastes(), Config{})
	first := f.train(t, &attunev1.TrainRequest{Algorithm: cf.Popularity})
	f.shelf.full = true
	if err := f.Train(&attunev1.TrainRequest{}, &stream{ctx: t.Context()}); !errors.Is(err, event.ErrExhausted) {
		t.Fatal(err)
	}
	if _, version := f.holder.Active(); version != first.GetVersion() || len(f.shelf.models) != 1 {
		t.Fatalf("%s serves", version)
	}
}

func TestAnEmptyHistoryTrains(t *testing.T) {
	f := newFixture(&past{}, Config{})
	if m := f.train(t, &attunev1.TrainRequest{}); m.GetAlgorithm() != cf.Popularity || m.GetItems() != 0 {
		t.Fatalf("%v", m)
	}
}

func TestRequestsAreChecked(t *testing.T) {
	f := newFixture(twoTastes(), Config{})
	fields := map[string]func() error{
		"objective": func() error {
			return f.Train(&attunev1.TrainRequest{Objective: 99, Limit: 5}, &stream{ctx: t.Context()})
		},
		"limit": func() error {
			return f.Train(&attunev1.TrainRequest{Objective: attunev1.Objective_NEXT_ITEM, Limit: maxLimit + 1}, &stream{ctx: t.Context()})
		},
		"algorithm": func() error {
			return f.Train(&attunev1.TrainRequest{Algorithm: "magic"}, &stream{ctx: t.Context()})
		},
		"activate_worse": func() error {
			return f.Train(&attunev1.TrainRequest{KeepActive: true, ActivateWorse: true}, &stream{ctx: t.Context()})
		},
		"budget": func() error {
			return f.Train(&attunev1.TrainRequest{Budget: durationpb.New(-1)}, &stream{ctx: t.Context()})
		},
		"version": func() error { _, err := f.GetModel(t.Context(), &attunev1.GetModelRequest{}); return err },
		"page_size": func() error {
			_, err := f.ListModels(t.Context(), &attunev1.ListModelsRequest{PageSize: 1e9})
			return err
		},
	}
	for field, call := range fields {
		var invalid *event.InvalidError
		if err := call(); !errors.As(err, &invalid) || invalid.Violations[0].Field != field {
			t.Errorf("%s: %v", field, err)
		}
	}
	if _, err := f.GetModel(t.Context(), &attunev1.GetModelRequest{Version: "active"}); !errors.Is(err, event.ErrNoModel) {
		t.Errorf("no model: %v", err)
	}
	if _, err := f.ActivateModel(t.Context(), &attunev1.ActivateModelRequest{Version: "v"}); !errors.Is(err, event.ErrNotFound) {
		t.Errorf("no such version: %v", err)
	}
	if _, err := f.ListModels(t.Context(), &attunev1.ListModelsRequest{PageToken: "nonsense"}); err == nil {
		t.Error("a page token of nothing")
	}
}

func TestPages(t *testing.T) {
	f := newFixture(&past{}, Config{KeepModels: 9})
	for range 7 {
		f.train(t, &attunev1.TrainRequest{})
	}
	for size := range int32(9) {
		var got []string
		request := &attunev1.ListModelsRequest{PageSize: size}
		for pages := 0; ; pages++ {
			page, err := f.ListModels(t.Context(), request)
			if err != nil || pages > 7 || size > 0 && len(page.GetModels()) > int(size) {
				t.Fatal(page, err)
			}
			for _, m := range page.GetModels() {
				got = append(got, m.GetVersion())
			}
			if request.PageToken = page.GetNextPageToken(); request.PageToken == "" {
				break
			}
		}
		if len(got) != 7 || !slices.IsSortedFunc(got, func(a, b string) int { return strings.Compare(b, a) }) {
			t.Fatalf("pages of %d: %v", size, got)
		}
	}
}

func TestWhatEventsSay(t *testing.T) {
	lines := func(items ...string) (out []event.Line) {
		for _, item := range items {
			out = append(out, event.Line{ItemID: item, Quantity: 3})
		}
		return out
	}
	for name, test := range map[string]struct {
		events                              []event.Event
		users, items, interactions, baskets int
	}{
		"a purchase is a basket":      {[]event.Event{{Type: event.Purchase, UserID: "u", Lines: lines("a", "b", "a")}}, 1, 2, 2, 1},
		"of one item it is not":       {[]event.Event{{Type: event.Purchase, UserID: "u", Lines: lines("a")}}, 1, 1, 1, 0},
		"a cart of lines is a basket": {[]event.Event{{Type: event.AddToCart, AnonymousID: "u", Lines: lines("a", "b")}}, 1, 2, 2, 1},
		"a session has baskets only":  {[]event.Event{{Type: event.Purchase, SessionID: "s", Lines: lines("a", "b")}, {Type: event.ViewItem, SessionID: "s", ItemID: "c"}}, 0, 2, 0, 1},
		"a refund says nothing":       {[]event.Event{{Type: event.Refund, UserID: "u", Lines: lines("a", "b")}}, 0, 0, 0, 0},
		"nor do a list and a search":  {[]event.Event{{Type: event.ViewItemList, UserID: "u", Lines: lines("a", "b")}, {Type: event.Search, UserID: "u"}}, 0, 0, 0, 0},
		"nor does a word of a user":   {[]event.Event{{Type: event.Identify, UserID: "u", ItemID: "a", Lines: lines("a", "b")}}, 0, 0, 0, 0},
		"a custom type does":          {[]event.Event{{Type: "listen", UserID: "u", ItemID: "a"}}, 1, 1, 1, 0},
		"item and line are one":       {[]event.Event{{Type: event.AddToCart, UserID: "u", ItemID: "a", Lines: lines("a")}}, 1, 1, 1, 0},
		"ids of two kinds are two":    {[]event.Event{{Type: event.ViewItem, UserID: "x", ItemID: "a"}, {Type: event.ViewItem, AnonymousID: "x", ItemID: "a"}}, 2, 1, 2, 0},
	} {
		t.Run(name, func(t *testing.T) {
			p := &past{}
			for _, e := range test.events {
				p.add(e)
			}
			d, err := newFixture(p, Config{}).readHistory(t.Context(), func(*collector) error { return nil })
			if err != nil {
				t.Fatal(err)
			}
			if d.Users() != test.users || d.Items() != test.items || d.Interactions() != test.interactions || len(d.Baskets()) != test.baskets {
				t.Fatalf("%d users, %d items, %d interactions, %d baskets", d.Users(), d.Items(), d.Interactions(), len(d.Baskets()))
			}
		})
	}
}

// TestTwoServers: what one trains the other serves within seconds.
func TestTwoServers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		one, two := newFixture(twoTastes(), Config{}), newFixture(twoTastes(), Config{})
		two.shelf, two.store = one.shelf, one.shelf
		follow := func() {
			ctx, stop := context.WithTimeout(t.Context(), time.Minute)
			defer stop()
			two.Follow(ctx)
		}
		version := one.train(t, &attunev1.TrainRequest{Algorithm: cf.Popularity}).GetVersion()
		follow()
		if _, serving := two.holder.Active(); serving != version {
			t.Errorf("%q serves, want %q", serving, version)
		}
		damaged := one.train(t, &attunev1.TrainRequest{Algorithm: cf.Popularity}).GetVersion()
		one.shelf.payloads[damaged] = nil
		follow()
		if said := strings.Count(two.log.String(), "THE ACTIVE MODEL CANNOT BE READ"); said != 1 {
			t.Errorf("said %d times: %s", said, two.log)
		}
	})
}

// TestLeaseLost: a training of whose server nothing was heard ends where another has begun,
// and a long one keeps its lease.
func TestLeaseLost(t *testing.T) {
	for _, lost := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			p := twoTastes()
			f := newFixture(p, Config{})
			var once sync.Once
			p.during = func() {
				once.Do(func() {
					time.Sleep(3 * lease.For)
					if lost {
						f.shelf.leases.Lock()
						f.shelf.holder = "another"
						f.shelf.leases.Unlock()
						time.Sleep(lease.For)
					}
				})
			}
			err := f.Train(&attunev1.TrainRequest{Algorithm: cf.Popularity}, &stream{ctx: t.Context()})
			if lost != errors.Is(err, event.ErrUnavailable) || lost == (err == nil) || lost != (len(f.shelf.models) == 0) {
				t.Errorf("lost %v: %v, %d models", lost, err, len(f.shelf.models))
			}
		})
	}
}

// TestNothingIsActivatedWithoutTheLease: a server that stood still between saving and activating
// leaves in service what another trained meanwhile.
func TestNothingIsActivatedWithoutTheLease(t *testing.T) {
	f := newFixture(twoTastes(), Config{})
	f.train(t, &attunev1.TrainRequest{Algorithm: cf.Popularity})
	before := f.shelf.active
	f.shelf.saved = func() {
		f.shelf.leases.Lock()
		defer f.shelf.leases.Unlock()
		f.shelf.holder = "another"
	}
	err := f.Train(&attunev1.TrainRequest{Algorithm: cf.Popularity}, &stream{ctx: t.Context()})
	if !errors.Is(err, lease.ErrLost) || !errors.Is(err, event.ErrUnavailable) {
		t.Errorf("trained: %v", err)
	}
	if _, serving := f.holder.Active(); f.shelf.active != before || serving != before || len(f.shelf.models) != 2 {
		t.Errorf("%s is active, %s serves, of %d models", f.shelf.active, serving, len(f.shelf.models))
	}
}
