package webhook

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"code.dny.dev/ssrf"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/attune-shop/attune/model/event"
)

const (
	secretPrefix = "whsec_"
	// A secret has this many bytes.
	leastSecretBytes, madeSecretBytes, mostSecretBytes = 24, 32, 64
	// maxAnswerBytes is what is read of an answer, and shownBytes what is told of it.
	maxAnswerBytes, shownBytes = 64 << 10, 1 << 10
	maxAnswerHeaderBytes       = 64 << 10
	// maxRetryAfter bounds how long a receiver may ask to wait.
	maxRetryAfter = 15 * time.Minute
)

func makeSecret() secret {
	key := make([]byte, madeSecretBytes)
	_, _ = rand.Read(key) // it never fails
	return secret(secretPrefix + base64.StdEncoding.EncodeToString(key))
}

// key returns the bytes of a secret, nil where it is none.
func (s secret) key() []byte {
	text, found := strings.CutPrefix(string(s), secretPrefix)
	key, err := base64.StdEncoding.DecodeString(text)
	if !found || err != nil || len(key) < leastSecretBytes || len(key) > mostSecretBytes {
		return nil
	}
	return key
}

// sign returns the webhook-signature of a delivery as the Standard Webhooks specification has it: one
// for each secret, with spaces between them.
func sign(secrets []secret, id string, at time.Time, body []byte) (string, error) {
	signatures := make([]string, len(secrets))
	for i, s := range secrets {
		signer, err := standardwebhooks.NewWebhookRaw(s.key())
		if err == nil {
			signatures[i], err = signer.Sign(id, at, body)
		}
		if err != nil {
			return "", err
		}
	}
	return strings.Join(signatures, " "), nil
}

// answer is what became of one try of a delivery.
type answer struct {
	status     int
	body       []byte
	retryAfter time.Duration
	// err says why the delivery was not taken; nil where it was. It holds nothing secret.
	err error
}

// sender sends deliveries.
type sender struct {
	client *http.Client
	now    func() time.Time
}

func newSender(g *guard, timeout time.Duration, now func() time.Time) *sender {
	dialer := &net.Dialer{Timeout: timeout, Control: g.dial}
	return &sender{now: now, client: &http.Client{
		Timeout: timeout, // from the dial to the last byte of the answer
		// What a receiver redirects to was never checked, and a POST would become a GET.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			Proxy: nil, DialContext: dialer.DialContext, ForceAttemptHTTP2: true, MaxIdleConnsPerHost: sendsAtOnce,
			IdleConnTimeout: 30 * time.Second, MaxResponseHeaderBytes: maxAnswerHeaderBytes,
		},
	}}
}

func (s *sender) close() { s.client.CloseIdleConnections() }

// send tries a delivery once.
func (s *sender) send(ctx context.Context, h *hook, id string, body []byte) answer {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, h.URL, bytes.NewReader(body))
	if err != nil {
		return answer{err: errors.New("the URL cannot be used")}
	}
	now := s.now()
	signature, err := sign(h.secrets(now), id, now, body)
	if err != nil {
		return answer{err: errors.New("the secret cannot be used")}
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("User-Agent", "attune-webhook")
	request.Header.Set(standardwebhooks.HeaderWebhookID, id)
	request.Header.Set(standardwebhooks.HeaderWebhookTimestamp, strconv.FormatInt(now.Unix(), 10))
	request.Header.Set(standardwebhooks.HeaderWebhookSignature, signature)
	response, err := s.client.Do(request)
	if err != nil {
		return answer{err: plainError(err)}
	}
	defer response.Body.Close()
	if response.StatusCode == http.StatusSwitchingProtocols {
		// Its body is the connection, which neither the timeout nor ctx ends.
		return answer{status: response.StatusCode, err: errors.New("status 101: no protocol was to be switched to")}
	}
	got := answer{status: response.StatusCode, retryAfter: retryAfter(response.Header.Get("Retry-After"), now)}
	got.body, err = io.ReadAll(io.LimitReader(response.Body, maxAnswerBytes))
	got.body = got.body[:min(len(got.body), shownBytes)]
	switch {
	case got.status >= 300 && got.status < 400:
		got.err = fmt.Errorf("status %d: redirects are not followed", got.status)
	case got.status < 200 || got.status > 299:
		got.err = fmt.Errorf("status %d", got.status)
	case err != nil && !errors.Is(err, io.ErrUnexpectedEOF):
		got.err = plainError(err) // the receiver may have it: it is sent again under the same id
	}
	return got
}

// plainError says what kept a request from its answer, without the URL, in which there may be a token.
func plainError(err error) error {
	var timeout net.Error
	switch {
	case errors.Is(err, ssrf.ErrProhibitedIP), errors.Is(err, ssrf.ErrProhibitedPort), errors.Is(err, ssrf.ErrProhibitedNetwork):
		return errors.New("the address is not public: refused")
	case errors.As(err, &timeout) && timeout.Timeout():
		return errors.New("no answer in time")
	}
	for inner := errors.Unwrap(err); inner != nil; inner = errors.Unwrap(err) {
		err = inner
	}
	text := err.Error()
	return errors.New(text[:min(len(text), 256)])
}

// retryAfter reads a header of that name: seconds, or a date.
func retryAfter(text string, now time.Time) time.Duration {
	wait := time.Duration(0)
	if seconds, err := strconv.ParseUint(text, 10, 31); err == nil {
		wait = time.Duration(seconds) * time.Second
	} else if at, err := http.ParseTime(text); err == nil {
		wait = at.Sub(now)
	}
	return min(max(wait, 0), maxRetryAfter)
}

func checkSecret(text string) []event.Violation {
	if text != "" && secret(text).key() == nil {
		return event.Invalid("secret", "must be %s and %d to %d bytes in base64, or absent", secretPrefix, leastSecretBytes, mostSecretBytes).Violations
	}
	return nil
}
