package main_test

import (
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/attune-shop/attune/server/webhook/webhooktest"
)

// TestWebhookCommands takes a webhook from its creation over deliveries that fail and are sent again to
// its end, with nothing but the command line.
func TestWebhookCommands(t *testing.T) {
	where := folder(t.TempDir())
	s := serve(t, slices.Concat(where, place{"--webhook-allow-private"}))
	refusing := webhooktest.Receive(t, webhooktest.Always(http.StatusBadRequest))
	taking := webhooktest.Receive(t, webhooktest.Always(http.StatusOK))
	s.ask(t, "segment", "create", "buyers", "--rule", "event_counts['purchase'] == 1")
	s.ask(t, "segment", "create", "viewers", "--rule", "event_counts['view_item'] > 0")

	secret := regexp.MustCompile(`secret: (whsec_\S+) \(it is not shown again\)`)
	made := s.ask(t, "webhook", "create", "crm", taking.URL, "--segment=viewers")
	found := secret.FindStringSubmatch(made)
	if found == nil || !strings.Contains(made, "crm "+taking.URL+", active\nsegments: viewers\n") {
		t.Fatalf("create printed\n%s", made)
	}
	taking.SetSecret(found[1])
	s.asks(t, []string{"test_", "status 200"}, "webhook", "test", "crm")
	s.asks(t, []string{"crm ", taking.URL, "active", "0 rows behind"}, "webhook", "list")
	s.asks(t, []string{`"webhook_id": "crm"`, `"viewers"`}, "webhook", "get", "crm", "--output", "json")
	if got := s.ask(t, "webhook", "get", "crm"); strings.Contains(got, "secret") || !strings.Contains(got, "0 changes delivered") {
		t.Errorf("get printed\n%s", got)
	}
	if _, err := s.write(t, seen("1", "anna")); err != nil {
		t.Fatal(err)
	}
	webhooktest.Eventually(t, "anna enters", func() bool { return taking.Has("anna") == "ENTERED" })

	s.asks(t, []string{refusing.URL + ", active"}, "webhook", "update", "crm", "--url", refusing.URL, "--all-segments")
	if out := fails(t, "webhook", "test", "crm", "--addr", s.grpcAddr); !strings.Contains(out, "not delivered: status 400") {
		t.Errorf("a test that is refused printed\n%s", out)
	}
	if _, err := s.write(t, seen("1", "bert")); err != nil {
		t.Fatal(err)
	}
	webhooktest.Eventually(t, "bert is given up", func() bool { return strings.Contains(s.ask(t, "webhook", "failed", "crm"), "1 changes") })
	s.asks(t, []string{"dlv_", "4 tries", "status 400"}, "webhook", "failed", "crm")
	s.asks(t, []string{"1 failed deliveries: attune webhook failed crm", "last error: status 400"}, "webhook", "get", "crm")

	rotated := s.ask(t, "webhook", "update", "crm", "--url", taking.URL, "--segment=buyers", "--segment=viewers", "--rotate-secret")
	if found = secret.FindStringSubmatch(rotated); found == nil || !strings.Contains(rotated, "segments: buyers viewers") {
		t.Fatalf("update printed\n%s", rotated)
	}
	taking.SetSecret(found[1])
	s.asks(t, []string{"paused"}, "webhook", "update", "crm", "--pause")
	s.asks(t, []string{"active"}, "webhook", "update", "crm", "--resume")
	id := regexp.MustCompile(`dlv_\S+`).FindString(s.ask(t, "webhook", "failed", "crm"))
	s.asks(t, []string{"1 deliveries are sent again"}, "webhook", "retry", "crm", id)
	webhooktest.Eventually(t, "bert enters after all", func() bool {
		return taking.Has("bert") == "ENTERED" && strings.Contains(s.ask(t, "webhook", "get", "crm"), "0 rows behind") &&
			!strings.Contains(s.ask(t, "webhook", "failed", "crm"), id)
	})
	s.asks(t, []string{"0 deliveries are sent again"}, "webhook", "retry", "crm")

	s.asks(t, []string{"crm is deleted"}, "webhook", "delete", "crm")
	for _, tc := range []struct {
		want string
		args []string
	}{
		{`webhook "crm"`, []string{"get", "crm"}},
		{"url: must begin with https://", []string{"create", "shop", "http://shop.example"}},
		{"segment_ids[0]: ", []string{"create", "shop", "https://shop.example", "--segment=none"}},
		{`webhook "crm"`, []string{"retry", "crm"}},
	} {
		if out := fails(t, slices.Concat([]string{"webhook"}, tc.args, []string{"--addr", s.grpcAddr})...); !strings.Contains(out, tc.want) {
			t.Errorf("%v failed with\n%s\nwithout %q", tc.args, out, tc.want)
		}
	}
	s.stop(t)
	out, err := run(t, slices.Concat([]string{"verify"}, where)...)
	if err != nil || string(out) != "users        2\nevents       2\nsegments     2\nmembers      2\nwaiting      0\ndifferences  0\n" {
		t.Errorf("verify printed\n%s\n%v", out, err)
	}
}
