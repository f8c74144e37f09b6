package e2e_test

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	attunev1 "github.com/attune-shop/attune/gen/attune/v1"
)

// TestAFullDisk fills a small disk: events are refused and say why, reading goes on, and
// once there is room so does writing.
func TestAFullDisk(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=400m"); err != nil {
		t.Skipf("a small disk cannot be mounted here, which takes root: %v", err)
	}
	defer func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	}()
	s := open(t, folder(filepath.Join(dir, "data")))
	defer s.close()
	sent := 0
	write := func() error {
		sent++
		_, err := s.events.Write(t.Context(), &attunev1.WriteRequest{Events: []*attunev1.Event{view(fmt.Sprint("e", sent), "ann", "lamp")}})
		return err
	}
	if err := write(); err != nil {
		t.Fatal(err)
	}
	filler := filepath.Join(dir, "filler")
	if err := os.WriteFile(filler, make([]byte, 200<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "a refusal", func() bool { return status.Code(write()) == codes.ResourceExhausted })
	user, err := s.users.GetUser(t.Context(), &attunev1.GetUserRequest{UserId: "ann"})
	if err != nil || user.GetEventCounts()["view_item"] == 0 {
		t.Errorf("while the disk is full: %v, %v", user.GetEventCounts(), err)
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "a write", func() bool { return write() == nil })
}

// waitFor waits until something holds, which may take some looks.
func waitFor(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !holds(); {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
		time.Sleep(20 * time.Millisecond)
	}
}
