package e2e_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	attunev1 "github.com/attune-shop/attune/gen/attune/v1"
	"github.com/attune-shop/attune/server"
	"github.com/attune-shop/attune/server/webhook/webhooktest"
)

// oddViews is a rule that each view of a user turns.
const oddViews = "event_counts['view_item'] % 2 == 1"

// openPrivate starts a server that may deliver to loopback.
func openPrivate(t *testing.T, where server.StoreConfig) (*shop, attunev1.WebhookServiceClient) {
	s := openWith(t, server.Config{StoreConfig: where, WebhookAllowPrivate: true})
	return s, attunev1.NewWebhookServiceClient(s.conn)
}

// turn has each user enter or leave odd, and waits until that is published.
func (s *shop) turn(round, users int, in bool) {
	s.t.Helper()
	var events []*attunev1.Event
	for n := range users {
		events = append(events, view(fmt.Sprintf("turn-%d-%d", round, n), fmt.Sprint("user-", n), "item-1"))
	}
	if _, err := s.events.Write(s.t.Context(), &attunev1.WriteRequest{Events: events}); err != nil {
		s.t.Fatal(err)
	}
	want := int64(0)
	if in {
		want = int64(users)
	}
	client := attunev1.NewSegmentServiceClient(s.conn)
	for deadline := time.Now().Add(60 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		found, err := client.GetSegment(s.t.Context(), &attunev1.GetSegmentRequest{SegmentId: "odd"})
		if err != nil || time.Now().After(deadline) {
			s.t.Fatalf("round %d: %v, %v", round, found, err)
		}
		if found.GetSize() == want {
			return
		}
	}
}

// TestWebhooks delivers through a receiver that fails for a while and through a restart: all that
// happens, of each user in order, signed, under ids that stay.
func TestWebhooks(t *testing.T) { everywhere(t, testWebhooks) }

func testWebhooks(t *testing.T, where server.StoreConfig) {
	const users = 20
	s, hooks := openPrivate(t, where)
	s.segment("odd", oddViews)
	r := webhooktest.Receive(t, func(d *webhooktest.Delivery) int {
		if d.Try == 1 {
			return http.StatusInternalServerError
		}
		return http.StatusOK
	})
	made, err := hooks.CreateWebhook(t.Context(), &attunev1.CreateWebhookRequest{WebhookId: "shop", Url: r.URL, SegmentIds: []string{"odd"}})
	if err != nil || made.GetSecret() == "" {
		t.Fatalf("%v, %v", made, err)
	}
	r.SetSecret(made.GetSecret())
	want := ""
	for round := range 3 {
		s.turn(round, users, round%2 == 0)
		want = strings.TrimSpace(want + " " + []string{"ENTERED", "LEFT"}[round%2])
	}
	s.close() // in the middle of it
	s, hooks = openPrivate(t, where)
	s.turn(3, users, false)
	want += " LEFT"
	for n := range users {
		user := fmt.Sprint("user-", n)
		webhooktest.Eventually(t, user+" "+want, func() bool { return r.Has(user) == want })
	}
	webhooktest.Eventually(t, "nothing is left", func() bool {
		found, err := hooks.GetWebhook(t.Context(), &attunev1.GetWebhookRequest{WebhookId: "shop"})
		if err != nil || found.GetSecret() != "" {
			t.Fatalf("%v, %v", found, err)
		}
		state := found.GetState()
		return state.GetLag() == 0 && state.GetFailuresInRow() == 0 && state.GetDeliveredChanges() >= 4*users &&
			state.GetLastError() == "status 500" && state.GetMissedRows() == 0
	})
}

// TestAHangingReceiverSlowsNobody: the one beside it gets everything, and a server that is closed waits for nobody.
func TestAHangingReceiverSlowsNobody(t *testing.T) {
	s, hooks := openPrivate(t, folder(t.TempDir()))
	s.segment("odd", oddViews)
	hangs, good := webhooktest.Receive(t, webhooktest.Always(webhooktest.Hang)), webhooktest.Receive(t, webhooktest.Always(http.StatusOK))
	for id, url := range map[string]string{"hangs": hangs.URL, "good": good.URL} {
		if _, err := hooks.CreateWebhook(t.Context(), &attunev1.CreateWebhookRequest{WebhookId: id, Url: url}); err != nil {
			t.Fatal(err)
		}
	}
	for round := range 10 {
		s.turn(round, 5, round%2 == 0)
	}
	want := strings.TrimSpace(strings.Repeat("ENTERED LEFT ", 5))
	for n := range 5 {
		user := fmt.Sprint("user-", n)
		webhooktest.Eventually(t, user, func() bool { return good.Has(user) == want })
	}
	s.close() // which lets go of who hangs
}

// TestFailedDeliveries: what a receiver calls bad is kept, listed and sent again; one that is gone
// pauses its webhook, which goes on where it was.
func TestFailedDeliveries(t *testing.T) {
	s, hooks := openPrivate(t, folder(t.TempDir()))
	s.segment("odd", oddViews)
	r := webhooktest.Receive(t, webhooktest.Always(http.StatusBadRequest))
	if _, err := hooks.CreateWebhook(t.Context(), &attunev1.CreateWebhookRequest{WebhookId: "shop", Url: r.URL}); err != nil {
		t.Fatal(err)
	}
	list := func() []*attunev1.FailedDelivery {
		response, err := hooks.ListFailedDeliveries(t.Context(), &attunev1.ListFailedDeliveriesRequest{WebhookId: "shop"})
		if err != nil {
			t.Fatal(err)
		}
		return response.GetDeliveries()
	}
	s.turn(0, 1, true)
	webhooktest.Eventually(t, "a failed delivery", func() bool { return len(list()) == 1 })
	one := list()[0]
	if len(one.GetChanges()) != 1 || one.GetChanges()[0].GetUserId() != "user-0" || one.GetTries() != 4 || one.GetError() != "status 400" {
		t.Errorf("%v", one)
	}
	r.SetAnswer(webhooktest.Always(http.StatusOK))
	s.turn(1, 1, false)
	webhooktest.Eventually(t, "the next goes on", func() bool { return r.Has("user-0") == "LEFT" })
	retried, err := hooks.RetryFailedDeliveries(t.Context(), &attunev1.RetryFailedDeliveriesRequest{WebhookId: "shop", DeliveryIds: []string{one.GetDeliveryId()}})
	if err != nil || retried.GetRetried() != 1 {
		t.Errorf("%v, %v", retried, err)
	}
	webhooktest.Eventually(t, "delivered after all", func() bool { return len(list()) == 0 && r.Has("user-0") == "LEFT ENTERED" })

	r.SetAnswer(webhooktest.Always(http.StatusGone))
	s.turn(2, 1, true)
	webhooktest.Eventually(t, "paused", func() bool {
		found, err := hooks.GetWebhook(t.Context(), &attunev1.GetWebhookRequest{WebhookId: "shop"})
		if err != nil {
			t.Fatal(err)
		}
		return found.GetPaused() && strings.Contains(found.GetPausedReason(), "410")
	})
	r.SetAnswer(webhooktest.Always(http.StatusOK))
	paused := false
	if _, err := hooks.UpdateWebhook(t.Context(), &attunev1.UpdateWebhookRequest{WebhookId: "shop", Paused: &paused}); err != nil {
		t.Fatal(err)
	}
	webhooktest.Eventually(t, "goes on", func() bool { return r.Has("user-0") == "LEFT ENTERED ENTERED" })
}

// TestRedirectsAndRotation: a redirect leads nowhere, and a rotated secret signs at once.
func TestRedirectsAndRotation(t *testing.T) {
	r := webhooktest.Receive(t, webhooktest.Always(http.StatusOK))
	_, hooks := openPrivate(t, folder(t.TempDir()))
	redirects := httptest.NewServer(http.RedirectHandler(r.URL, http.StatusTemporaryRedirect))
	defer redirects.Close()
	for id, url := range map[string]string{"redirects": redirects.URL, "direct": r.URL} {
		if _, err := hooks.CreateWebhook(t.Context(), &attunev1.CreateWebhookRequest{WebhookId: id, Url: url}); err != nil {
			t.Fatal(err)
		}
	}
	tried, err := hooks.TestWebhook(t.Context(), &attunev1.TestWebhookRequest{WebhookId: "redirects"})
	if err != nil || tried.GetDelivered() || !strings.Contains(tried.GetFailure(), "redirects are not followed") || len(r.Tries()) != 0 {
		t.Errorf("%v, %v", tried, err)
	}
	rotated, err := hooks.UpdateWebhook(t.Context(), &attunev1.UpdateWebhookRequest{WebhookId: "direct", RotateSecret: true})
	if err != nil {
		t.Fatal(err)
	}
	r.SetSecret(rotated.GetSecret())
	if tried, err = hooks.TestWebhook(t.Context(), &attunev1.TestWebhookRequest{WebhookId: "direct"}); err != nil || !tried.GetDelivered() || tried.GetStatusCode() != 200 {
		t.Errorf("%v, %v", tried, err)
	}
}

// TestBadWebhooks: each mistake is refused with its field named.
func TestBadWebhooks(t *testing.T) {
	s := open(t, folder(t.TempDir()))
	hooks := attunev1.NewWebhookServiceClient(s.conn)
	create := func(change func(*attunev1.CreateWebhookRequest)) error {
		request := &attunev1.CreateWebhookRequest{WebhookId: "shop", Url: "https://shop.invalid/attune"}
		change(request)
		return second(hooks.CreateWebhook(t.Context(), request))
	}
	if err := create(func(*attunev1.CreateWebhookRequest) {}); err != nil {
		t.Fatal(err)
	}
	cases := map[string]error{
		"webhook_id":     create(func(r *attunev1.CreateWebhookRequest) { r.WebhookId = "a b" }),
		"segment_ids[0]": create(func(r *attunev1.CreateWebhookRequest) { r.SegmentIds = []string{"none"} }),
		"secret":         create(func(r *attunev1.CreateWebhookRequest) { r.Secret = "whsec_c2hvcnQ=" }),
		"page_token":     second(hooks.ListFailedDeliveries(t.Context(), &attunev1.ListFailedDeliveriesRequest{WebhookId: "shop", PageToken: "x"})),
		"delivery_ids[0]": second(hooks.RetryFailedDeliveries(t.Context(), &attunev1.RetryFailedDeliveriesRequest{
			WebhookId: "shop", DeliveryIds: []string{"none"},
		})),
	}
	for field, err := range cases {
		if st := status.Convert(err); st.Code() != codes.InvalidArgument || firstField(st) != field {
			t.Errorf("%v, want %s named", err, field)
		}
	}
	for _, url := range []string{
		"", "shop", "ftp://shop.example", "http://shop.example", "http://127.0.0.1:8080", "https://127.0.0.1", "https://localhost:8443",
		"https://10.1.2.3", "https://172.16.0.1", "https://192.168.1.1", "https://169.254.169.254/latest", "https://100.64.0.1", "https://0.0.0.0",
		"https://224.0.0.1", "https://[::1]", "https://[::]", "https://[fe80::1]", "https://[fc00::1]", "https://[::ffff:10.0.0.1]", "https://[ff02::1]",
		"https://[64:ff9b::a00:1]", "https://anna:secret@shop.example", "https://shop.example:25", "https://shop.example:70000", "https://shop.example/#x",
		"https://shop.example/" + strings.Repeat("x", 3000),
	} {
		err := create(func(r *attunev1.CreateWebhookRequest) { r.WebhookId, r.Url = "other", url })
		if st := status.Convert(err); st.Code() != codes.InvalidArgument || firstField(st) != "url" {
			t.Errorf("%q: %v", url, err)
		}
	}
	if err := create(func(*attunev1.CreateWebhookRequest) {}); status.Code(err) != codes.AlreadyExists {
		t.Errorf("a second one of the same id: %v", err)
	}
	if _, err := hooks.DeleteWebhook(t.Context(), &attunev1.DeleteWebhookRequest{WebhookId: "shop"}); err != nil {
		t.Error(err)
	}
	for name, err := range map[string]error{
		"get":    second(hooks.GetWebhook(t.Context(), &attunev1.GetWebhookRequest{WebhookId: "shop"})),
		"delete": second(hooks.DeleteWebhook(t.Context(), &attunev1.DeleteWebhookRequest{WebhookId: "shop"})),
		"test":   second(hooks.TestWebhook(t.Context(), &attunev1.TestWebhookRequest{WebhookId: "shop"})),
	} {
		if status.Code(err) != codes.NotFound {
			t.Errorf("%s of a deleted one: %v", name, err)
		}
	}
}
