package history_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/store"
	"github.com/attune-shop/attune/store/history"
	"github.com/attune-shop/attune/store/redis"
	"github.com/attune-shop/attune/store/scylla"
	"github.com/attune-shop/attune/store/testservers"
)

// mover is stores whose features are in one of several places, as a driver's that is led
// from one Redis to another by its Sentinels, while the first one is still there.
type mover struct {
	store.Stores
	places []store.Features
	at     atomic.Int32
}

func (m *mover) place() store.Features { return m.places[m.at.Load()] }

func (m *mover) GetFeatures(ctx context.Context, shard int, visitors []event.Visitor) ([]store.Stored, error) {
	return m.place().GetFeatures(ctx, shard, visitors)
}

func (m *mover) SwapFeatures(ctx context.Context, shard int, changes []store.Change) ([]bool, error) {
	return m.place().SwapFeatures(ctx, shard, changes)
}

func (m *mover) BeginEpoch(ctx context.Context, shard int, instead string) (store.Epoch, error) {
	return m.place().BeginEpoch(ctx, shard, instead)
}

// twoReplicas opens two on a keyspace, each of which may move between two Redis.
func twoReplicas(t *testing.T, options history.Options) (where scylla.Options, replicas [2]*history.History, movers [2]*mover) {
	t.Helper()
	where = keyspace(t)
	addrs := []string{testservers.StartRedis(t, t.TempDir(), "--save", "").Addr, testservers.StartRedis(t, t.TempDir(), "--save", "").Addr}
	options.LookEvery, options.FlushEvery = 20*time.Millisecond, 20*time.Millisecond
	for i := range replicas {
		m := new(mover)
		replicas[i] = replica(t, where, addrs[0], options, func(joined store.Stores) store.Stores {
			m.Stores = joined
			for _, addr := range addrs {
				features, err := redis.Open(t.Context(), redis.Options{Addrs: []string{addr}, ID: "places", Logger: slog.New(slog.DiscardHandler)})
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { _ = features.Close() })
				m.places = append(m.places, features)
			}
			return m
		})
		movers[i] = m
	}
	return where, replicas, movers
}

// TestOneReplicaIsLedToAnotherRedisFirst: what the one acknowledges from the new place on
// the other neither misses for longer than a look at the log, nor counts twice; it says
// that it cannot tell until it is led there, too. The old place counts for nothing when both
// are led back to it.
func TestOneReplicaIsLedToAnotherRedisFirst(t *testing.T) {
	_, replicas, movers := twoReplicas(t, history.Options{LeaveAfter: time.Hour})
	events := int64(0)
	write := func(h *history.History) error {
		e := view("ann", fmt.Sprint("e", events), "lamp", time.Duration(events)*time.Millisecond)
		e.Complete(start)
		outcomes, err := h.Write(t.Context(), []event.Event{e})
		if err == nil && outcomes[0] == history.Accepted {
			events++
		}
		return err
	}
	count := func(h *history.History) (int64, error) {
		p, err := h.Person(t.Context(), event.User("ann"))
		if err != nil {
			return 0, err
		}
		return p.State.Events(), nil
	}
	wants := func(h *history.History) {
		t.Helper()
		if got, err := count(h); err != nil || got != events {
			t.Errorf("%d events known, want %d; %v", got, events, err)
		}
	}
	for round := range 6 {
		for n := range 6 {
			if err := write(replicas[n%2]); err != nil {
				t.Fatalf("round %d: %v", round, err)
			}
			wants(replicas[0])
			wants(replicas[1])
		}
		first, second := round%2, 1-round%2
		to := movers[first].at.Load() ^ 1
		movers[first].at.Store(to)
		for range 5 {
			if err := write(replicas[first]); err != nil {
				t.Fatalf("round %d, after the move: %v", round, err)
			}
			wants(replicas[first])
		}
		if err := write(replicas[second]); !errors.Is(err, event.ErrUnavailable) {
			t.Errorf("round %d: a write through the place that was left gave %v", round, err)
		}
		if got, err := count(replicas[second]); !errors.Is(err, event.ErrUnavailable) {
			t.Errorf("round %d: %d events read of %d in the place that was left; %v", round, got, events, err)
		}
		movers[second].at.Store(to)
		if err := write(replicas[second]); err != nil { // the one that was refused, once more
			t.Fatalf("round %d: %v", round, err)
		}
	}
	for _, h := range replicas {
		if err := h.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestReplicasOnTwoRedis have different settings: they leave each other's place again and
// again, which is slow, but counts nothing twice and loses nothing.
func TestReplicasOnTwoRedis(t *testing.T) {
	where, replicas, movers := twoReplicas(t, history.Options{LeaveAfter: 200 * time.Millisecond})
	movers[1].at.Store(1)
	const events = 30
	for n := range events {
		e := view("ann", fmt.Sprint("e", n), "lamp", time.Duration(n)*time.Millisecond)
		e.Complete(start)
		for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
			_, err := replicas[n%2].Write(t.Context(), []event.Event{e})
			if err == nil {
				break
			}
			if !errors.Is(err, event.ErrUnavailable) || time.Now().After(deadline) {
				t.Fatal(err)
			}
		}
		p, err := replicas[n%2].Person(t.Context(), event.User("ann"))
		if err != nil || p.State.Events() != int64(n+1) {
			t.Fatalf("%d events of %d, %v", p.State.Events(), n+1, err)
		}
	}
	report, err := replica(t, where, testservers.Redis(t), history.Options{}, unwrapped).Verify(t.Context())
	if err != nil || report.Events != events || report.Differences != 0 {
		t.Errorf("verify: %+v, %v", report, err)
	}
}
