package webhook

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/attune-shop/attune/store"
	"github.com/attune-shop/attune/store/embedded"
	"github.com/attune-shop/attune/store/register"
)

func openStore(t *testing.T) *embedded.Store {
	t.Helper()
	s, err := embedded.Open(t.TempDir(), embedded.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// TestFailuresAreBounded: the oldest goes for one more, and none has another's body.
func TestFailuresAreBounded(t *testing.T) {
	s := openStore(t)
	_, _, err := register.Change(t.Context(), s, failedRegister(1), func(f *failures) error {
		for n := range maxFailed {
			f.Failures = append(f.Failures, failure{ID: fmt.Sprint("old_", n), Slot: n})
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	const more = 5
	for n := range more {
		id := fmt.Sprint("new_", n)
		if err := keepFailure(t.Context(), s, 1, failure{ID: id}, []byte(id)); err != nil {
			t.Fatal(err)
		}
	}
	gone := failure{ID: "old_0", Slot: 0} // whose slot is another's by now
	if err := dropFailure(t.Context(), s, 1, &gone); err != nil {
		t.Fatal(err)
	}
	kept, _, err := register.Read[failures](t.Context(), s, failedRegister(1))
	if err != nil || len(kept.Failures) != maxFailed || kept.Failures[0].ID != fmt.Sprint("old_", more) {
		t.Fatalf("%d kept, %v", len(kept.Failures), err)
	}
	slots := map[int]bool{}
	for i := range kept.Failures {
		slots[kept.Failures[i].Slot] = true
	}
	if len(slots) != maxFailed {
		t.Errorf("%d slots of %d", len(slots), maxFailed)
	}
	for _, one := range kept.Failures[maxFailed-more:] {
		if body, err := failedBody(t.Context(), s, 1, &one); err != nil || string(body) != one.ID {
			t.Errorf("%s in slot %d: %q, %v", one.ID, one.Slot, body, err)
		}
	}
}

// TestOneProcessDelivers: who delivered before can note nothing, and so begins nothing; who does
// now goes on with what was begun.
func TestOneProcessDelivers(t *testing.T) {
	s := openStore(t)
	h := &hook{Number: 1, Start: []store.Seq{7}}
	before, err := openLedger(t.Context(), s, h)
	if err != nil {
		t.Fatal(err)
	}
	to := place{Seq: 9, Skip: 2}
	before.change(func(p *progress) { p.Shards[0].To = &to })
	if err := before.save(t.Context()); err != nil {
		t.Fatal(err)
	}
	now, err := openLedger(t.Context(), s, h)
	if err != nil {
		t.Fatal(err)
	}
	if got := now.shard(0); got.Done.Seq != 7 || got.To == nil || *got.To != to {
		t.Errorf("%+v", got)
	}
	before.change(func(p *progress) { p.Shards[0].Done = to })
	if err := before.save(t.Context()); err == nil {
		t.Error("the one before could note something")
	}
}

// TestFailuresHaveRoom: as many as are kept take what a register has, whatever receivers had said in errors.
func TestFailuresHaveRoom(t *testing.T) {
	s := openStore(t)
	hostile := errors.New(strings.Repeat("<", 256))
	_, _, err := register.Change(t.Context(), s, failedRegister(1), func(f *failures) error {
		for n := range maxFailed {
			one := failure{ID: "dlv_" + strings.Repeat("x", 26), FailedAt: time.Now(), Tries: 1 << 40, Changes: maxChanges, Slot: n, Retry: true}
			one.because(hostile)
			f.Failures = append(f.Failures, one)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}
