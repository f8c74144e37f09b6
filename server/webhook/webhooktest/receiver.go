// Package webhooktest has a shop's end of webhooks, for tests: a URL that verifies what it is sent
// and leaves out what it has, as docs/segments.md asks of receivers, and that can fail.
package webhooktest

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// Change is one change of a delivery.
type Change struct {
	SegmentID  string    `json:"segment_id"`
	UserID     string    `json:"user_id"`
	Type       string    `json:"type"`
	OccurredAt time.Time `json:"occurred_at"`
}

// Delivery is one try of a delivery.
type Delivery struct {
	ID      string   `json:"delivery_id"`
	Changes []Change `json:"changes"`
	// Try counts the tries of the delivery, from 1 on.
	Try int `json:"-"`
	// Signatures is how many there are in its header.
	Signatures int `json:"-"`
}

// What an Answer may say beside a status.
const (
	// Hang does not take the delivery, and does not answer until the sender goes away.
	Hang = 0
	// Lose takes the delivery, and breaks the connection off in the place of an answer.
	Lose = -1
)

// Answer tells what becomes of a try.
type Answer func(*Delivery) int

// Always answers the same.
func Always(status int) Answer { return func(*Delivery) int { return status } }

// Receiver is a URL that takes deliveries. Its methods may be called concurrently.
type Receiver struct {
	URL string
	t   testing.TB

	mu      sync.Mutex
	secret  string
	answer  Answer
	tries   map[string]int
	bodies  map[string]string
	taken   map[string]bool
	hanging int
	last    Delivery
	changes map[string][]Change // of each user, as they came
}

// Receive starts a receiver that ends with the test.
func Receive(t testing.TB, answer Answer) *Receiver {
	r := &Receiver{
		t: t, answer: answer, tries: map[string]int{}, bodies: map[string]string{}, taken: map[string]bool{}, changes: map[string][]Change{},
	}
	server := httptest.NewServer(r)
	r.URL = server.URL
	t.Cleanup(server.Close)
	return r
}

// ServeHTTP takes one try.
func (r *Receiver) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	body, err := io.ReadAll(request.Body)
	if err != nil {
		return // the sender died
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	sent := r.read(request.Header, body)
	status := r.answer(sent)
	if status == Hang {
		r.hanging++
		r.mu.Unlock()
		<-request.Context().Done()
		r.mu.Lock()
		r.hanging--
		return
	}
	if (status == http.StatusOK || status == Lose) && !r.taken[sent.ID] {
		r.taken[sent.ID] = true
		for _, c := range sent.Changes {
			r.changes[c.UserID] = append(r.changes[c.UserID], c)
		}
	}
	if status == Lose {
		panic(http.ErrAbortHandler)
	}
	w.WriteHeader(status)
}

// read decodes a try and holds it to what is promised: an id, under which the body stays the
// same, and a signature. r.mu is held.
func (r *Receiver) read(header http.Header, body []byte) *Delivery {
	sent := &Delivery{Signatures: len(strings.Fields(header.Get("Webhook-Signature")))}
	id := header.Get("Webhook-Id")
	if err := json.Unmarshal(body, sent); err != nil || id == "" || sent.ID != id {
		r.t.Errorf("delivery %q: %v: %s", id, err, body)
	}
	if r.secret != "" {
		verifier, err := standardwebhooks.NewWebhook(r.secret)
		if err == nil {
			err = verifier.Verify(body, header)
		}
		if err != nil {
			r.t.Errorf("signature: %v", err)
		}
	}
	if before, known := r.bodies[id]; known && before != string(body) {
		r.t.Errorf("delivery %s was %s, and is %s", id, before, body)
	}
	r.bodies[id] = string(body)
	r.tries[id]++
	sent.Try = r.tries[id]
	r.last = *sent
	return sent
}

// SetAnswer changes what is answered.
func (r *Receiver) SetAnswer(answer Answer) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answer = answer
}

// SetSecret has every signature from now on verified.
func (r *Receiver) SetSecret(secret string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.secret = secret
}

// Tries returns how often each delivery was tried, by id.
func (r *Receiver) Tries() map[string]int {
	r.mu.Lock()
	defer r.mu.Unlock()
	tries := make(map[string]int, len(r.tries))
	for id, n := range r.tries {
		tries[id] = n
	}
	return tries
}

// Last returns the newest try.
func (r *Receiver) Last() Delivery {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.last
}

// Hanging returns how many tries wait for an answer.
func (r *Receiver) Hanging() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.hanging
}

// Taken returns the number of deliveries that were taken.
func (r *Receiver) Taken() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.taken)
}

// Changes returns what was taken of a user, in the order in which it came.
func (r *Receiver) Changes(user string) []Change {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.changes[user])
}

// Has returns the types of a user's changes, as in "ENTERED LEFT".
func (r *Receiver) Has(user string) string {
	var types []string
	for _, c := range r.Changes(user) {
		types = append(types, c.Type)
	}
	return strings.Join(types, " ")
}

// Eventually waits until something holds.
func Eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(90 * time.Second); !holds(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
	}
}
