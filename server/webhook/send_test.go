package webhook

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func allowed(t *testing.T, allowPrivate bool, url string) answer {
	t.Helper()
	s := newSender(newGuard(allowPrivate), 5*time.Second, time.Now)
	t.Cleanup(s.close)
	return s.send(t.Context(), &hook{URL: url, Secret: makeSecret()}, "dlv_1", []byte("{}"))
}

// TestNamesAreGuardedWhenTheyAreDialled: what a name stands for at that moment counts.
func TestNamesAreGuardedWhenTheyAreDialled(t *testing.T) {
	calls := 0
	receiver := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { calls++ }))
	defer receiver.Close()
	url := strings.Replace(receiver.URL, "127.0.0.1", "localhost", 1)
	t.Setenv("HTTP_PROXY", receiver.URL) // is not asked
	if got := allowed(t, false, url); got.err == nil || !strings.Contains(got.err.Error(), "not public") || calls != 0 {
		t.Errorf("%+v after %d calls", got, calls)
	}
	if got := allowed(t, true, url); got.err != nil || calls != 1 {
		t.Errorf("%+v after %d calls", got, calls)
	}
	if got := allowed(t, true, "http://169.254.169.254/latest"); got.err == nil || !strings.Contains(got.err.Error(), "not public") {
		t.Errorf("%+v", got)
	}
}

// TestAnswersAreBounded: one without an end ends with what is wanted of it.
func TestAnswersAreBounded(t *testing.T) {
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for r.Context().Err() == nil {
			if _, err := w.Write(make([]byte, 4096)); err != nil {
				return
			}
		}
	}))
	defer receiver.Close()
	if got := allowed(t, true, receiver.URL); got.err != nil || got.status != 200 || len(got.body) != shownBytes {
		t.Errorf("%d, %d bytes, %v", got.status, len(got.body), got.err)
	}
}

// TestNoAnswerHangs: whatever a receiver does with the connection, a try ends in time.
func TestNoAnswerHangs(t *testing.T) {
	const upgrade = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n"
	for _, text := range []string{"", upgrade, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", strings.Repeat("HTTP/1.1 102 Processing\r\n\r\n", 10_000)} {
		released := make(chan struct{})
		receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			conn, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			defer conn.Close()
			_, _ = conn.Write([]byte(text)) // who does not read on is what is tried
			<-released
		}))
		s := newSender(newGuard(true), 100*time.Millisecond, time.Now)
		done := make(chan answer, 1)
		go func() {
			done <- s.send(t.Context(), &hook{URL: receiver.URL, Secret: makeSecret()}, "dlv_1", []byte("{}"))
		}()
		select {
		case got := <-done:
			if got.err == nil {
				t.Errorf("%.30q is taken", text)
			}
		case <-time.After(20 * time.Second):
			t.Errorf("%.30q hangs", text)
		}
		close(released)
		s.close()
		receiver.Close()
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Duration{
		"": 0, "soon": 0, "-5": 0, "7": 7 * time.Second, "999999": maxRetryAfter, "Mon, 01 Jun 2026 12:01:00 GMT": time.Minute, "Mon, 01 Jun 2026 11:00:00 GMT": 0,
	} {
		if got := retryAfter(text, now); got != want {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
}

// TestSecretsAreNotShown: no way of printing a webhook shows them.
func TestSecretsAreNotShown(t *testing.T) {
	h := hook{Secret: makeSecret()}
	var text strings.Builder
	slog.New(slog.NewTextHandler(&text, nil)).Info("x", "secret", h.Secret, "hook", h)
	_, _ = fmt.Fprintf(&text, "%v %+v %#v %s", h, h, h, h.Secret)
	if strings.Contains(text.String(), string(h.Secret)) {
		t.Error(text.String())
	}
}

// TestOldSecretsSign until their time.
func TestOldSecretsSign(t *testing.T) {
	now := time.Now()
	h := hook{Secret: makeSecret(), OldSecret: makeSecret(), OldUntil: now.Add(time.Hour)}
	signed := func(at time.Time) []string {
		t.Helper()
		text, err := sign(h.secrets(at), "a", time.Unix(1, 0), nil)
		if err != nil {
			t.Fatal(err)
		}
		return strings.Fields(text)
	}
	if got := signed(now); len(got) != 2 || got[0] == got[1] {
		t.Error(got)
	}
	if got := signed(now.Add(time.Hour)); len(got) != 1 {
		t.Error(got)
	}
}
