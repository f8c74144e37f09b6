package main_test

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	attunev1 "github.com/attune-shop/attune/gen/attune/v1"
)

// fillDisk leaves so many bytes of a disk free; what it returns gives them back.
func fillDisk(t *testing.T, dir string, leave int64) (empty func()) {
	t.Helper()
	path := filepath.Join(dir, "filler")
	filler, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer filler.Close()
	var size int64
	for step := int64(64 << 20); step >= 4<<10; {
		var disk syscall.Statfs_t
		if err := syscall.Statfs(dir, &disk); err != nil {
			t.Fatal(err)
		}
		if int64(disk.Bavail)*disk.Bsize-leave < step || syscall.Fallocate(int(filler.Fd()), 0, size, step) != nil {
			step /= 2
			continue
		}
		size += step
	}
	return func() {
		if err := os.Remove(path); err != nil {
			t.Error(err)
		}
	}
}

// writers write batches until they are stopped, and know what came of each.
type writers struct {
	stop    context.CancelFunc
	running sync.WaitGroup

	mu      sync.Mutex
	sent    int
	acked   []string           // event ids
	refused map[codes.Code]int // batches
}

const (
	writersUsers = 50
	batchSize    = 50
)

// writersOf starts writers of events whose ids begin with a name.
func writersOf(t *testing.T, s *service, name string) *writers {
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	w := &writers{stop: stop, refused: map[codes.Code]int{}}
	for writer := range 4 {
		w.running.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				var batch []*attunev1.Event
				for i := range batchSize {
					batch = append(batch, seen(fmt.Sprintf("%s-%d-%d-%d", name, writer, n, i), fmt.Sprint("user-", i%writersUsers)))
				}
				// A call is never given up, lest it be stored and its ack not be seen.
				answer, err := attunev1.NewEventServiceClient(s.conn).Write(context.WithoutCancel(ctx), &attunev1.WriteRequest{Events: batch})
				w.note(answer, err)
				if status.Code(err) == codes.Canceled {
					return // the connection is closed
				}
				if err != nil {
					time.Sleep(time.Millisecond)
				}
			}
		})
	}
	return w
}

func (w *writers) note(answer *attunev1.WriteResponse, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sent += batchSize
	if err != nil {
		w.refused[status.Code(err)]++
	}
	for _, r := range answer.GetResults() {
		w.acked = append(w.acked, r.GetEventId())
	}
}

// await waits until something holds of what came so far.
func (w *writers) await(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
		w.mu.Lock()
		done, refused := holds(), maps.Clone(w.refused)
		w.mu.Unlock()
		if done {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s; refused: %v", what, refused)
		}
	}
}

// awaitAcks waits for acks from now on.
func (w *writers) awaitAcks(t *testing.T) {
	t.Helper()
	before := -1
	w.await(t, "acks", func() bool {
		if before < 0 {
			before = len(w.acked)
		}
		return len(w.acked) >= before+20*batchSize
	})
}

func (w *writers) end() {
	w.stop()
	w.running.Wait()
}

// reads expects the server to answer what only reads.
func (s *service) reads(t *testing.T) {
	t.Helper()
	user, err := attunev1.NewUserServiceClient(s.conn).GetUser(t.Context(), &attunev1.GetUserRequest{UserId: "user-0"})
	if err != nil || user.GetEventCounts()["view_item"] == 0 {
		t.Errorf("GetUser: %v, %v", user.GetEventCounts(), err)
	}
	if _, err := attunev1.NewRecommendationServiceClient(s.conn).Recommend(t.Context(), &attunev1.RecommendRequest{UserId: "user-0"}); err != nil {
		t.Errorf("Recommend: %v", err)
	}
}

// holds expects the server to list every event whose id was acknowledged, once.
func (s *service) holds(t *testing.T, acked []string) (stored int) {
	t.Helper()
	listed := map[string]bool{}
	for n := range writersUsers {
		request := &attunev1.ListEventsRequest{UserId: fmt.Sprint("user-", n), PageSize: 1000}
		for {
			page, err := attunev1.NewUserServiceClient(s.conn).ListEvents(t.Context(), request)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range page.GetEvents() {
				if listed[e.GetEventId()] {
					t.Errorf("%s is listed twice", e.GetEventId())
				}
				listed[e.GetEventId()] = true
			}
			if request.PageToken = page.GetNextPageToken(); request.PageToken == "" {
				break
			}
		}
	}
	lost := 0
	for _, id := range acked {
		if !listed[id] {
			lost++
		}
	}
	if lost > 0 {
		t.Errorf("%d of %d acknowledged events are lost", lost, len(acked))
	}
	return len(listed)
}

// TestAFullDiskLosesNothing fills a small disk under writers, to the reserve or to the
// last block, and then gives it room again, ends the server, or kills it. Writes are
// refused, reading goes on, with room so does writing, and what was acknowledged is there.
func TestAFullDiskLosesNothing(t *testing.T) {
	for name, tc := range map[string]struct {
		leave int64
		end   os.Signal // nil: there is room again while the server runs
	}{
		"to the reserve":           {leave: 100 << 20},
		"to the last block":        {},
		"and the server is ended":  {end: os.Interrupt},
		"and the server is killed": {end: os.Kill},
	} {
		t.Run(name, func(t *testing.T) {
			disk := t.TempDir()
			if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, "size=500m"); err != nil {
				t.Skipf("a small disk cannot be mounted here, which takes root: %v", err)
			}
			t.Cleanup(func() {
				if err := syscall.Unmount(disk, 0); err != nil {
					t.Error(err)
				}
			})
			dir := filepath.Join(disk, "data")
			s := serve(t, folder(dir))
			w := writersOf(t, s, "before")
			w.awaitAcks(t)
			empty := fillDisk(t, disk, tc.leave)
			w.await(t, "refusals", func() bool { return w.refused[codes.ResourceExhausted] > 50 })
			s.reads(t)
			if tc.end == nil {
				empty()
				w.awaitAcks(t)
				w.end()
			} else {
				err := s.end(tc.end)
				w.end()
				if tc.end == os.Interrupt {
					if err == nil {
						t.Error("the server ended as if all were well")
					}
					lines := strings.SplitAfter(s.log(t), "\n")
					oneLine(t, strings.Join(slices.DeleteFunc(lines, func(l string) bool { return strings.HasPrefix(l, "time=") }), ""), dir, "is full")
				}
				empty()
				s = serve(t, folder(dir))
			}
			again := writersOf(t, s, "after")
			again.awaitAcks(t)
			again.end()
			stored := s.holds(t, append(w.acked, again.acked...))
			if most := w.sent + again.sent; stored > most {
				t.Errorf("%d events are stored, %d were sent", stored, most)
			}
			s.stop(t)
			folder(dir).verifies(t, writersUsers, stored)
		})
	}
}
