package embedded

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/store"
)

// acked is what a store acknowledged.
type acked struct {
	rows, letters, transitions    int
	item, model, active, register string
}

// ledger keeps that in a life that may end at any write.
type ledger struct {
	s  *Store
	mu sync.Mutex
	acked
}

func (l *ledger) note(what func(*acked)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	what(&l.acked)
}

func (l *ledger) read() (a acked) {
	l.note(func(now *acked) { a = *now })
	return a
}

// live uses a store until something fails. Row n carries number n, and so do the event
// and the features that are made from it.
func (l *ledger) live() error {
	ctx := context.Background()
	v := event.User("ann")
	shard := store.ShardOf(v, l.s.Shards())
	value := func(n int) []byte {
		if n == 0 {
			return nil
		}
		return fmt.Append(nil, n)
	}
	for n := 1; n <= 9; n++ {
		if err := l.s.Append(ctx, shard, store.Seq(n), value(n)); err != nil {
			return err
		}
		l.note(func(a *acked) { a.rows = n })
		if err := l.s.PutEvents(ctx, shard, []store.Record{{Visitor: v, EventID: fmt.Sprint(n), Seq: store.Seq(n), Data: value(n)}}); err != nil {
			return err
		}
		if _, err := l.s.SwapFeatures(ctx, shard, []store.Change{{Visitor: v, Old: store.Stored{Value: value(n - 1)}, New: value(n)}}); err != nil {
			return err
		}
		if n%3 != 0 {
			continue
		}
		if err := errors.Join(l.s.FlushFeatures(ctx, shard), l.s.SetMark(ctx, shard, store.Seq(n))); err != nil {
			return err
		}
		id := fmt.Sprint(n)
		change := store.ItemChange{Put: []event.Item{{ID: id}}}
		if _, err := l.s.ChangeItems(ctx, l.s.catalog.revision, change); err != nil {
			return err
		}
		l.note(func(a *acked) { a.item = id })
		if err := l.s.Transitions().Append(ctx, shard, store.Seq(n/3), value(n/3)); err != nil {
			return err
		}
		l.note(func(a *acked) { a.transitions = n / 3 })
		put := store.MemberChange{Was: []uint32{uint32(n) - 3}, Now: store.Member{UserID: "ann", Segments: []uint32{uint32(n)}}}
		if err := l.s.PutMembers(ctx, shard, uint64(n), []store.MemberChange{put}, nil); err != nil {
			return err
		}
		if err := l.s.Transitions().SetMark(ctx, shard, store.Seq(n/3)); err != nil {
			return err
		}
		if _, err := l.s.SetRegister(ctx, "segments", l.register, value(n/3)); err != nil {
			return err
		}
		l.note(func(a *acked) { a.register = fmt.Sprint(n / 3) })
		if err := l.s.PutRejected(ctx, []store.DeadLetter{{Data: value(n)}}); err != nil {
			return err
		}
		l.note(func(a *acked) { a.letters++ })
		if err := l.s.SaveModel(ctx, store.Model{Version: id}, strings.NewReader("payload "+id)); err != nil {
			return err
		}
		l.note(func(a *acked) { a.model = id })
		if err := l.s.SetActiveModel(ctx, id); err != nil {
			return err
		}
		l.note(func(a *acked) { a.active = id })
		// What Pebble does in the background at its own time.
		if err := l.s.db.Flush(); err != nil {
			return err
		}
		if err := l.s.db.Compact(ctx, []byte{0}, []byte{255}, false); err != nil {
			return err
		}
	}
	return l.s.Close()
}

// check holds what is found after the end of a life to what was acknowledged.
func (l acked) check(t *testing.T, s *Store) {
	t.Helper()
	ctx := context.Background()
	v := event.User("ann")
	shard := store.ShardOf(v, s.Shards())
	last := 0
	if err := s.ReadLog(ctx, shard, 1, func(seq store.Seq, row []byte) error {
		if last++; int(seq) != last || string(row) != fmt.Sprint(last) {
			t.Errorf("row %d holds %q", seq, row)
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
	if last < l.rows || last > l.rows+1 {
		t.Errorf("%d rows, of %d acknowledged", last, l.rows)
	}
	mark, err := s.Mark(ctx, shard)
	if err != nil || int(mark) > last {
		t.Errorf("mark %d at head %d, %v", mark, last, err)
	}
	l.checkPublished(t, s, shard)
	events := 0
	if err := s.ReadEvents(ctx, shard, v, func(store.Record) error { events++; return nil }); err != nil || events < int(mark) {
		t.Errorf("%d events at mark %d, %v", events, mark, err)
	}
	folded := 0
	values, err := s.GetFeatures(ctx, shard, []event.Visitor{v})
	if err == nil && values[0].Value != nil {
		_, err = fmt.Sscan(string(values[0].Value), &folded)
	}
	if err != nil || folded < int(mark) {
		t.Errorf("features of row %d at mark %d, %v", folded, mark, err)
	}
	letters, err := s.RejectedLetters(ctx, "", 100)
	if err != nil || len(letters) < l.letters {
		t.Errorf("%d letters, of %d acknowledged, %v", len(letters), l.letters, err)
	}
	if l.item != "" {
		found := false
		_, err := s.Items(ctx, func(item event.Item) error { found = found || item.ID == l.item; return nil })
		if err != nil || !found {
			t.Errorf("item %s: %v, %v", l.item, found, err)
		}
	}
	models, err := s.Models(ctx)
	if err != nil {
		t.Error(err)
	}
	found := false
	for _, m := range models {
		found = found || m.Version == l.model
		payload, err := s.OpenModel(ctx, m.Version)
		if err != nil {
			t.Error(err)
			continue
		}
		content, err := io.ReadAll(payload)
		if err := errors.Join(err, payload.Close()); err != nil || string(content) != "payload "+m.Version {
			t.Errorf("model %s holds %q, %v", m.Version, content, err)
		}
	}
	if l.model != "" && !found {
		t.Errorf("model %s is gone", l.model)
	}
	if active, err := s.ActiveModel(ctx); l.active != "" && (err != nil || active < l.active) {
		t.Errorf("active is %q, %v; %q was acknowledged", active, err, l.active)
	}
}

// checkPublished is check of what is published of segments.
func (l acked) checkPublished(t *testing.T, s *Store, shard int) {
	t.Helper()
	ctx := context.Background()
	head, err := s.Transitions().Head(ctx, shard)
	if err != nil || int(head) < l.transitions {
		t.Errorf("%d rows of transitions, of %d acknowledged, %v", head, l.transitions, err)
	}
	mark, err := s.Transitions().Mark(ctx, shard)
	if err != nil || mark > head {
		t.Errorf("mark %d at head %d of transitions, %v", mark, head, err)
	}
	members, err := s.Members(ctx, shard, []string{"ann"})
	if err != nil {
		t.Fatal(err)
	}
	in := uint32(0)
	for _, in = range members[0].Segments {
		found := 0
		if err := s.ReadSegment(ctx, in, store.Place{}, func(store.Place) error { found++; return nil }); err != nil || found != 1 {
			t.Errorf("%d members of segment %d, %v", found, in, err)
		}
	}
	if in < uint32(mark)*3 {
		t.Errorf("in segment %d at mark %d", in, mark)
	}
	value, version, err := s.Register(ctx, "segments")
	if err != nil || version < l.register || string(value) != version {
		t.Errorf("register is %q at version %q, %v; version %q was acknowledged", value, version, err, l.register)
	}
}

// TestEveryWriteFailsOnce fails the first write to the file system, then the second, and
// so on until a life ends without a failure. Each time the power goes, and what was
// acknowledged must be there.
func TestEveryWriteFailsOnce(t *testing.T) {
	for n := int64(0); ; n++ {
		mem := vfs.NewCrashableMem()
		var count atomic.Int64
		var dead atomic.Bool
		count.Store(-1 << 40)
		ended := make(chan struct{}, 100)
		end := func(string) {
			dead.Store(true)
			ended <- struct{}{}
			select {} // the process would be gone
		}
		broken := errorfs.Wrap(mem, errorfs.InjectorFunc(func(op errorfs.Op) error {
			if op.Kind.ReadOrWrite() != errorfs.OpIsWrite || op.Kind == errorfs.OpFileClose || count.Add(1) != n+1 && !dead.Load() {
				return nil
			}
			return fmt.Errorf("write %d, %s: %w", n, op.Path, syscall.EIO)
		}))
		options := small(broken)
		options.fatal = end
		s, err := Open("data", options)
		if err != nil {
			t.Fatal(err)
		}
		l := &ledger{s: s}
		count.Store(0)
		done := make(chan error, 1)
		go func() { done <- l.live() }()
		select {
		case err = <-done:
		case <-ended:
			err = errors.New("the process ended")
		}
		whole := count.Load() <= n
		before := l.read()
		after, openErr := Open("data", small(mem.CrashClone(vfs.CrashCloneCfg{})))
		if openErr != nil {
			t.Fatalf("after write %d, %v: %v", n, err, openErr)
		}
		before.check(t, after)
		if err := after.Close(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Fatalf("after write %d, %v", n, err)
		}
		if whole {
			if err != nil {
				t.Errorf("a life without a failure: %v", err)
			}
			if n < 50 {
				t.Errorf("%d writes only", n)
			}
			return
		}
	}
}

// disk is a file system whose room is set by the test.
type disk struct {
	vfs.FS
	free *atomic.Uint64
}

func (d disk) GetDiskUsage(string) (vfs.DiskUsage, error) {
	return vfs.DiskUsage{AvailBytes: d.free.Load()}, nil
}

func newDisk(mem *vfs.MemFS, free *atomic.Uint64) disk {
	return disk{FS: errorfs.Wrap(mem, errorfs.InjectorFunc(func(op errorfs.Op) error {
		switch op.Kind {
		case errorfs.OpCreate, errorfs.OpFileWrite, errorfs.OpFileWriteAt, errorfs.OpReuseForWrite, errorfs.OpMkdirAll:
			if free.Load() == 0 {
				return syscall.ENOSPC
			}
		}
		return nil
	})), free: free}
}

func TestFullDisk(t *testing.T) {
	ctx := context.Background()
	mem, free := vfs.NewCrashableMem(), new(atomic.Uint64)
	free.Store(1 << 40)
	s, err := Open("data", small(newDisk(mem, free)))
	if err != nil {
		t.Fatal(err)
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	exhausted := func(err error) {
		t.Helper()
		if !errors.Is(err, event.ErrExhausted) {
			t.Errorf("error is %v, want %v", err, event.ErrExhausted)
		}
	}
	must(s.Append(ctx, 0, 1, []byte("one")))
	free.Store(0)
	// The first may meet the full disk in the middle of its commit, the others do not try.
	exhausted(s.Append(ctx, 0, 2, []byte("two")))
	exhausted(s.Append(ctx, 0, 2, []byte("two")))
	exhausted(s.Append(ctx, 1, 1, []byte("one")))
	_, err = s.ChangeItems(ctx, 0, store.ItemChange{Put: []event.Item{{ID: "lamp"}}})
	exhausted(err)
	exhausted(s.PutRejected(ctx, []store.DeadLetter{{}}))
	exhausted(s.SaveModel(ctx, store.Model{Version: "1"}, strings.NewReader("payload")))

	head, err := s.Head(ctx, 0)
	must(err)
	rows := 0
	must(s.ReadLog(ctx, 0, 1, func(store.Seq, []byte) error { rows++; return nil }))
	if head != 1 || rows != 1 {
		t.Errorf("head %d and %d rows, while only one is durable", head, rows)
	}
	v := event.User("ann")
	swapped, err := s.SwapFeatures(ctx, 0, []store.Change{{Visitor: v, New: []byte("a")}})
	must(err)
	values, err := s.GetFeatures(ctx, 0, []event.Visitor{v})
	must(err)
	if !swapped[0] || string(values[0].Value) != "a" {
		t.Errorf("features are %q while the disk is full", values[0].Value)
	}

	free.Store(1 << 40)
	var next store.Seq
	for next = 2; ; {
		err := s.Append(ctx, 0, next, []byte("again"))
		if err == nil {
			break
		}
		if errors.Is(err, store.ErrTaken) {
			next++ // the one that waited is stored
		} else {
			exhausted(err)
			time.Sleep(10 * time.Millisecond)
		}
	}
	left := mem.CrashClone(vfs.CrashCloneCfg{})
	must(s.Close())
	after, err := Open("data", small(left))
	must(err)
	head, err = after.Head(ctx, 0)
	must(err)
	if head != next {
		t.Errorf("head is %d after the crash, %d was acknowledged", head, next)
	}
	must(after.Close())
}

func TestReserve(t *testing.T) {
	ctx := context.Background()
	free := new(atomic.Uint64)
	free.Store(1 << 20)
	s, err := Open("data", small(newDisk(vfs.NewCrashableMem(), free)))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Append(ctx, 0, 1, nil); !errors.Is(err, event.ErrExhausted) {
		t.Errorf("error is %v, want %v", err, event.ErrExhausted)
	}
	if err := s.FlushFeatures(ctx, 0); err != nil {
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}
