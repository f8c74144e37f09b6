package history_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"testing"
	"time"

	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/store"
	"github.com/attune-shop/attune/store/history"
	"github.com/attune-shop/attune/store/redis"
	"github.com/attune-shop/attune/store/scylla"
	"github.com/attune-shop/attune/store/testservers"
)

// keyspace makes one for the test.
func keyspace(t *testing.T) scylla.Options {
	t.Helper()
	options := scylla.Options{Hosts: testservers.CQL(t), Keyspace: testservers.KeyspaceName(), Logger: slog.New(slog.DiscardHandler)}
	err := scylla.Migrate(t.Context(), options, scylla.MigrateOptions{Replication: 1, Shards: 4}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	return options
}

// replica opens a History on a keyspace and on Redis, as one of several processes does.
func replica(t *testing.T, where scylla.Options, addr string, options history.Options, wrap func(store.Stores) store.Stores) *history.History {
	t.Helper()
	durable, err := scylla.Open(t.Context(), where)
	if err != nil {
		t.Fatal(err)
	}
	features, err := redis.Open(t.Context(), redis.Options{Addrs: []string{addr}, ID: durable.ID(), Logger: where.Logger})
	if err != nil {
		t.Fatal(err)
	}
	stores := wrap(store.Join(durable, features))
	options.Now, options.Logger = func() time.Time { return start }, where.Logger
	h, err := history.Open(t.Context(), stores, options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(h.Close(), stores.Close()); err != nil {
			t.Error(err)
		}
	})
	return h
}

func unwrapped(s store.Stores) store.Stores { return s }

// TestAReplicaThatDied has one replica stop after each step of a write, for good, and its
// client never come back: the other one finishes what is in the log, and only that.
func TestAReplicaThatDied(t *testing.T) {
	where, addr := keyspace(t), testservers.Redis(t)
	living := replica(t, where, addr, history.Options{LookEvery: 20 * time.Millisecond, AdoptAfter: 100 * time.Millisecond, FlushEvery: 20 * time.Millisecond}, unwrapped)
	var users, events int64
	for _, method := range []string{"Append", "PutEvents", "PutLinks", "SwapFeatures"} {
		for _, after := range []bool{false, true} {
			name := fmt.Sprintf("%s after=%v", method, after)
			faults := &failing{method: method, after: after}
			// It neither looks around nor flushes, as if it were no more.
			died := replica(t, where, addr, history.Options{LookEvery: time.Hour, FlushEvery: time.Hour},
				func(inner store.Stores) store.Stores { faults.Stores = inner; return faults })
			user := name
			cookie := "cookie of " + name
			write := func(h *history.History, id string) error {
				e := view(user, id, "lamp", 0)
				e.AnonymousID = cookie
				e.Complete(start)
				_, err := h.Write(t.Context(), []event.Event{e})
				return err
			}
			if err := write(died, "acked"); err != nil {
				t.Fatal(err)
			}
			faults.left.Store(1)
			if err := write(died, "unknown"); !errors.Is(err, event.ErrUnavailable) {
				t.Fatalf("%s: a failed step gave %v", name, err)
			}
			want := int64(2)
			if method == "Append" && !after {
				want = 1
			}
			count := func(v event.Visitor) int64 {
				p, err := living.Person(t.Context(), v)
				if err != nil {
					t.Fatal(err)
				}
				return p.State.Events()
			}
			for deadline := time.Now().Add(20 * time.Second); count(event.User(user)) != want || count(event.Anonymous(cookie)) != want; {
				if time.Now().After(deadline) {
					t.Fatalf("%s: %d events, want %d", name, count(event.User(user)), want)
				}
				time.Sleep(10 * time.Millisecond)
			}
			if err := write(living, "unknown"); err != nil {
				t.Fatal(err)
			}
			if got := count(event.User(user)); got != 2 {
				t.Errorf("%s: %d events after the retry, want 2", name, got)
			}
			users, events = users+1, events+2
		}
	}
	report, err := replica(t, where, addr, history.Options{}, unwrapped).Verify(t.Context())
	if err != nil || report.Users != users || report.Events != events || report.Differences != 0 {
		t.Errorf("verify: %+v, %v", report, err)
	}
}

// TestReadersOfAnotherReplicasWrites: what one replica acknowledged the other knows at once,
// and follows within seconds.
func TestReadersOfAnotherReplicasWrites(t *testing.T) {
	where, addr := keyspace(t), testservers.Redis(t)
	one, two := replica(t, where, addr, history.Options{}, unwrapped), replica(t, where, addr, history.Options{}, unwrapped)
	const n = 200
	for i := range n {
		e := view("ann", fmt.Sprint(i), "lamp", time.Duration(i)*time.Millisecond)
		e.Complete(start)
		writer, reader := one, two
		if i%2 == 1 {
			writer, reader = two, one
		}
		if _, err := writer.Write(t.Context(), []event.Event{e}); err != nil {
			t.Fatal(err)
		}
		p, err := reader.Person(t.Context(), event.User("ann"))
		if err != nil || p.State.Events() != int64(i+1) {
			t.Fatalf("%d events after %d, %v", p.State.Events(), i+1, err)
		}
	}
	ctx, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	var seen []string
	err := two.Follow(ctx, nil, func(_ int, _ store.Seq, events []event.Event) error {
		for _, e := range events {
			seen = append(seen, e.ID)
		}
		if len(seen) == n {
			stop()
		}
		return nil
	})
	if !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	for i, id := range seen {
		if id != fmt.Sprint(i) {
			t.Fatalf("event %s is number %d", id, i)
		}
	}
}
