package webhook

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	attunev1 "github.com/attune-shop/attune/gen/attune/v1"
	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/model/segment"
	"github.com/attune-shop/attune/server/webhook/webhooktest"
	"github.com/attune-shop/attune/store"
	"github.com/attune-shop/attune/store/embedded"
	"github.com/attune-shop/attune/store/history"
	"github.com/attune-shop/attune/store/membership"
)

// faulty is a store whose registers of webhooks' progress cannot be written for a while.
type faulty struct {
	*embedded.Store
	fails  atomic.Bool
	failed atomic.Int64
}

func (f *faulty) SetRegister(ctx context.Context, name, version string, value []byte) (string, error) {
	if f.fails.Load() && name == progressRegister(1) {
		f.failed.Add(1)
		return "", fmt.Errorf("on purpose: %w", event.ErrUnavailable)
	}
	return f.Store.SetRegister(ctx, name, version, value)
}

// fixture delivers the changes of a segment that each view of a user turns, and of one that each
// purchase turns, over a folder. Receivers are tried every few milliseconds, by a clock that the test
// moves ahead.
type fixture struct {
	*testing.T
	*Service
	stores  *faulty
	past    *history.History
	ahead   atomic.Int64
	written int
}

func newFixture(t *testing.T, change ...func(*Options)) *fixture {
	f := &fixture{T: t, stores: &faulty{Store: openStore(t)}}
	quiet := slog.New(slog.DiscardHandler)
	now := func() time.Time { return time.Now().Add(time.Duration(f.ahead.Load())) }
	var err error
	f.past, err = history.Open(t.Context(), f.stores, history.Options{Now: time.Now, Logger: quiet})
	f.must(err)
	compiler, err := segment.NewCompiler()
	f.must(err)
	book, err := membership.OpenBook(t.Context(), f.stores, compiler, quiet)
	f.must(err)
	_, err = book.Change(t.Context(), func(d *membership.Definitions) error {
		return errors.Join(
			d.Add(membership.Segment{ID: "odd", Rule: "event_counts['view_item'] % 2 == 1"}),
			d.Add(membership.Segment{ID: "buys", Rule: "event_counts['purchase'] % 2 == 1"}))
	})
	f.must(err)
	publisher := membership.Open(t.Context(), membership.Options{
		Log: f.past, People: f.past, Store: f.stores, Book: book, Now: time.Now, Logger: quiet,
		Subject: func(p *history.Person, now time.Time) *segment.Subject {
			return &segment.Subject{UserID: p.Visitor.ID(), AnonymousIDs: p.AnonymousIDs, State: p.State, Now: now}
		},
		Basis: func(segment.Reads) string { return "" },
	})
	options := Options{
		Store: f.stores, Book: book, Reader: membership.NewReader(f.stores), AllowPrivate: true, Now: now, Logger: quiet,
		FirstWait: time.Millisecond, MaxWait: 4 * time.Millisecond,
	}
	for _, do := range change {
		do(&options)
	}
	f.Service = Open(t.Context(), options)
	t.Cleanup(func() { f.must(errors.Join(f.Close(), publisher.Close(), f.past.Close())) })
	return f
}

func (f *fixture) must(err error) {
	f.Helper()
	if err != nil {
		f.Fatal(err)
	}
}

// does writes an event of a user, which enters or leaves a segment by it.
func (f *fixture) does(user string, what event.Type) {
	f.Helper()
	f.written++
	e := event.Event{ID: fmt.Sprint(f.written), Type: what, UserID: user, OccurredAt: time.Now()}
	e.Complete(time.Now())
	_, err := f.past.Write(f.Context(), []event.Event{e})
	f.must(err)
}

func (f *fixture) create(id, url string) *attunev1.Webhook {
	f.Helper()
	made, err := f.CreateWebhook(f.Context(), &attunev1.CreateWebhookRequest{WebhookId: id, Url: url})
	f.must(err)
	return made
}

func (f *fixture) update(request *attunev1.UpdateWebhookRequest) *attunev1.Webhook {
	f.Helper()
	request.WebhookId = "shop"
	changed, err := f.UpdateWebhook(f.Context(), request)
	f.must(err)
	return changed
}

// failures returns the deliveries of the shop's webhook that were given up.
func (f *fixture) failures() []*attunev1.FailedDelivery {
	f.Helper()
	response, err := f.ListFailedDeliveries(f.Context(), &attunev1.ListFailedDeliveriesRequest{WebhookId: "shop"})
	f.must(err)
	return response.GetDeliveries()
}

// neighbour returns a user of another shard.
func neighbour(user string) string {
	for n := 0; ; n++ {
		if other := fmt.Sprint("neighbour-", n); store.ShardOf(event.User(other), 16) != store.ShardOf(event.User(user), 16) {
			return other
		}
	}
}

// TestAHangingReceiver: while one never answers, and no try at it ends, the one beside it is told everything.
func TestAHangingReceiver(t *testing.T) {
	hangs, good := webhooktest.Receive(t, webhooktest.Always(webhooktest.Hang)), webhooktest.Receive(t, webhooktest.Always(http.StatusOK))
	f := newFixture(t, func(o *Options) { o.Timeout = time.Hour }) // which ends before the receivers do
	f.create("shop", hangs.URL)
	f.create("other", good.URL)
	for _, want := range []string{"ENTERED", "ENTERED LEFT", "ENTERED LEFT ENTERED"} {
		f.does("anna", "view_item")
		webhooktest.Eventually(t, want, func() bool { return good.Has("anna") == want })
	}
	webhooktest.Eventually(t, "one hangs", func() bool { return hangs.Hanging() == 1 })
	if tries := hangs.Tries(); len(tries) != 1 || hangs.Last().Try != 1 {
		t.Errorf("tries that were not waited for: %v", tries)
	}
}

// TestGivenUpDeliveries: what fails for a day is kept, holds up neither another webhook nor users of
// other shards before, and is sent again when somebody asks for it.
func TestGivenUpDeliveries(t *testing.T) {
	f := newFixture(t)
	bert := neighbour("anna")
	bad := webhooktest.Receive(t, func(d *webhooktest.Delivery) int {
		if d.Changes[0].UserID == "anna" {
			return http.StatusInternalServerError
		}
		return http.StatusOK
	})
	good := webhooktest.Receive(t, webhooktest.Always(http.StatusOK))
	f.create("shop", bad.URL)
	f.create("other", good.URL)
	f.does("anna", "view_item")
	f.does(bert, "view_item")
	webhooktest.Eventually(t, "the others are told", func() bool {
		return good.Has("anna") == "ENTERED" && good.Has(bert) == "ENTERED" && bad.Has(bert) == "ENTERED"
	})
	webhooktest.Eventually(t, "many tries", func() bool { return bad.Last().Try > 10 })
	if kept := f.failures(); len(kept) != 0 {
		t.Fatalf("given up too early: %v", kept)
	}
	f.ahead.Store(int64(24 * time.Hour))
	webhooktest.Eventually(t, "given up", func() bool { return len(f.failures()) == 1 })
	kept := f.failures()[0]
	if len(kept.GetChanges()) != 1 || kept.GetChanges()[0].GetUserId() != "anna" || kept.GetTries() < 10 || kept.GetError() != "status 500" {
		t.Errorf("%v", kept)
	}
	bad.SetAnswer(webhooktest.Always(http.StatusOK))
	f.does("anna", "view_item")
	webhooktest.Eventually(t, "what comes next", func() bool { return bad.Has("anna") == "LEFT" })
	if _, err := f.RetryFailedDeliveries(t.Context(), &attunev1.RetryFailedDeliveriesRequest{WebhookId: "shop"}); err != nil {
		t.Fatal(err)
	}
	webhooktest.Eventually(t, "delivered after all", func() bool { return bad.Has("anna") == "LEFT ENTERED" && len(f.failures()) == 0 })
	if got := good.Has("anna"); got != "ENTERED LEFT" {
		t.Errorf("the other has %s", got)
	}
}

// TestAnotherURLWhileRetrying: what is being tried goes there at once, as it was, and its day begins anew.
func TestAnotherURLWhileRetrying(t *testing.T) {
	f := newFixture(t)
	before := webhooktest.Receive(t, webhooktest.Always(http.StatusInternalServerError))
	after := webhooktest.Receive(t, webhooktest.Always(http.StatusInternalServerError))
	f.create("shop", before.URL)
	f.does("anna", "view_item")
	webhooktest.Eventually(t, "tries", func() bool { return before.Last().Try > 2 })
	f.ahead.Store(int64(23 * time.Hour))
	f.update(&attunev1.UpdateWebhookRequest{Url: &after.URL})
	webhooktest.Eventually(t, "tries there", func() bool { return after.Last().Try > 2 })
	if after.Last().ID != before.Last().ID {
		t.Errorf("%s became %s", before.Last().ID, after.Last().ID)
	}
	tried := before.Last().Try
	f.ahead.Store(int64(25 * time.Hour))
	from := after.Last().Try
	webhooktest.Eventually(t, "more tries", func() bool { return after.Last().Try > from+10 })
	if kept := f.failures(); len(kept) != 0 {
		t.Errorf("given up after 2 hours: %v", kept)
	}
	f.ahead.Store(int64(48 * time.Hour))
	webhooktest.Eventually(t, "given up", func() bool { return len(f.failures()) == 1 })
	if before.Last().Try != tried {
		t.Error("the URL of before is tried on")
	}
}

// TestAPauseCostsNoDelivery: one that was tried before a long pause is tried on after it.
func TestAPauseCostsNoDelivery(t *testing.T) {
	f := newFixture(t)
	r := webhooktest.Receive(t, webhooktest.Always(http.StatusInternalServerError))
	f.create("shop", r.URL)
	f.does("anna", "view_item")
	webhooktest.Eventually(t, "tries", func() bool { return r.Last().Try > 2 })
	paused, resumed := true, false
	f.update(&attunev1.UpdateWebhookRequest{Paused: &paused})
	f.ahead.Store(int64(72 * time.Hour))
	f.update(&attunev1.UpdateWebhookRequest{Paused: &resumed})
	from := r.Last().Try
	webhooktest.Eventually(t, "more tries", func() bool { return r.Last().Try > from+10 })
	r.SetAnswer(webhooktest.Always(http.StatusOK))
	webhooktest.Eventually(t, "delivered", func() bool { return r.Has("anna") == "ENTERED" })
	if kept := f.failures(); len(kept) != 0 {
		t.Errorf("given up: %v", kept)
	}
}

// TestAnotherSecretWhileRetrying: the next try is signed by the new one, too.
func TestAnotherSecretWhileRetrying(t *testing.T) {
	f := newFixture(t)
	r := webhooktest.Receive(t, webhooktest.Always(http.StatusInternalServerError))
	r.SetSecret(f.create("shop", r.URL).GetSecret())
	f.does("anna", "view_item")
	webhooktest.Eventually(t, "tries", func() bool { return r.Last().Try > 2 })
	fresh := f.update(&attunev1.UpdateWebhookRequest{RotateSecret: true}).GetSecret()
	webhooktest.Eventually(t, "two signatures", func() bool { return r.Last().Signatures == 2 })
	r.SetSecret(fresh)
	r.SetAnswer(webhooktest.Always(http.StatusOK))
	webhooktest.Eventually(t, "delivered", func() bool { return r.Has("anna") == "ENTERED" })
	if tries := r.Tries(); len(tries) != 1 {
		t.Errorf("under several ids: %v", tries)
	}
}

// TestAnotherListWhileRetrying: what is not wanted any more is left out, and the rest comes under
// another id.
func TestAnotherListWhileRetrying(t *testing.T) {
	f := newFixture(t)
	refuse := func(d *webhooktest.Delivery) int {
		for _, c := range d.Changes {
			if c.SegmentID == "odd" {
				return http.StatusInternalServerError
			}
		}
		return http.StatusOK
	}
	r := webhooktest.Receive(t, refuse)
	f.create("shop", r.URL)
	f.does("anna", "view_item")
	f.does("anna", "purchase")
	webhooktest.Eventually(t, "tries", func() bool { return r.Last().Try > 2 })
	failing := r.Last().ID
	f.update(&attunev1.UpdateWebhookRequest{Segments: &attunev1.SegmentList{SegmentIds: []string{"buys"}}})
	webhooktest.Eventually(t, "the rest", func() bool { return r.Has("anna") == "ENTERED" })
	if got := r.Changes("anna")[0].SegmentID; got != "buys" || r.Last().ID == failing {
		t.Errorf("%s in %s", got, r.Last().ID)
	}
}

// TestNothingIsSentBeforeItIsNoted: whoever goes on after a crash could not know of it.
func TestNothingIsSentBeforeItIsNoted(t *testing.T) {
	f := newFixture(t)
	r := webhooktest.Receive(t, webhooktest.Always(http.StatusOK))
	f.create("shop", r.URL)
	f.does("anna", "view_item")
	webhooktest.Eventually(t, "delivered", func() bool { return r.Has("anna") == "ENTERED" })
	f.stores.fails.Store(true)
	f.does("anna", "view_item")
	webhooktest.Eventually(t, "places cannot be noted", func() bool { return f.stores.failed.Load() > 4 })
	if tries := r.Tries(); len(tries) != 1 {
		t.Errorf("sent all the same: %v", tries)
	}
	f.stores.fails.Store(false)
	webhooktest.Eventually(t, "delivered then", func() bool { return r.Has("anna") == "ENTERED LEFT" })
}

// TestHangingReceiversAreBounded: as many webhooks as there may be, each of which hangs with changes
// in every shard, hold so many connections and goroutines and no more, and let go at the end.
func TestHangingReceiversAreBounded(t *testing.T) {
	f := newFixture(t)
	r := webhooktest.Receive(t, webhooktest.Always(webhooktest.Hang))
	before := runtime.NumGoroutine()
	for n := range maxHooks {
		f.create(fmt.Sprint("hook-", n), r.URL)
	}
	_, err := f.CreateWebhook(t.Context(), &attunev1.CreateWebhookRequest{WebhookId: "more", Url: r.URL})
	if err == nil || !strings.Contains(err.Error(), "at most 20 webhooks") {
		t.Errorf("one more: %v", err)
	}
	for n := range 200 {
		f.does(fmt.Sprint("user-", n), "view_item")
	}
	const most = maxHooks * sendsAtOnce
	webhooktest.Eventually(t, "all hang", func() bool { return r.Hanging() == most })
	// Of each webhook: itself, each shard, and who saves and who sends again; of each connection two
	// here and two of the receiver.
	goroutines, bound := runtime.NumGoroutine()-before, maxHooks*(1+f.stores.Shards()+2)+most*4
	t.Logf("%d goroutines and %d connections of %d webhooks that hang", goroutines, r.Hanging(), maxHooks)
	if goroutines > bound+20 {
		t.Errorf("%d goroutines, expected at most about %d", goroutines, bound)
	}
	if tries := len(r.Tries()); tries > most {
		t.Errorf("%d deliveries are under way", tries)
	}
	f.must(f.Close())
	webhooktest.Eventually(t, "all let go", func() bool { return r.Hanging() == 0 })
}
