package main_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	attunev1 "github.com/attune-shop/attune/gen/attune/v1"
)

// newerFormat makes a folder's database look like that of a newer version; what it returns
// undoes that.
func newerFormat(t *testing.T, dir string) (undo func()) {
	t.Helper()
	markers, err := filepath.Glob(filepath.Join(dir, "db", "marker.format-version.*"))
	if err != nil || len(markers) != 1 {
		t.Fatal(markers, err)
	}
	newer := filepath.Join(dir, "db", "marker.format-version.000099.999")
	move := func(from, to string) {
		t.Helper()
		if err := os.Rename(from, to); err != nil {
			t.Fatal(err)
		}
	}
	move(markers[0], newer)
	return func() { move(newer, markers[0]) }
}

// readOnly makes a folder read only until the end of the test, and skips it where the
// system does not let it.
func readOnly(t *testing.T, dir string) {
	t.Helper()
	if os.Getuid() != 0 {
		if err := os.Chmod(dir, 0o500); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = os.Chmod(dir, 0o700) })
		return
	}
	if runtime.GOOS != "linux" {
		t.Skip("modes do not bind root, and only Linux is asked for a mount that does")
	}
	if out, err := exec.CommandContext(t.Context(), "mount", "--bind", dir, dir).CombinedOutput(); err != nil {
		t.Skipf("modes do not bind root, and a folder cannot be mounted read only here: %v: %s", err, out)
	}
	t.Cleanup(func() {
		if out, err := exec.Command("umount", dir).CombinedOutput(); err != nil {
			t.Errorf("umount: %v: %s", err, out)
		}
	})
	if out, err := exec.CommandContext(t.Context(), "mount", "-o", "remount,ro,bind", dir).CombinedOutput(); err != nil {
		t.Skipf("modes do not bind root, and a folder cannot be mounted read only here: %v: %s", err, out)
	}
}

// TestFoldersThatCannotBeServed: serve and verify end with exit code 1 and one line that
// says what the matter is, and leave what is there as it is.
func TestFoldersThatCannotBeServed(t *testing.T) {
	begun := func(t *testing.T) (string, *service) {
		dir := t.TempDir()
		s := serve(t, folder(dir))
		if _, err := s.write(t, seen("e1", "anna")); err != nil {
			t.Fatal(err)
		}
		return dir, s
	}
	file := func(t *testing.T) string {
		path := filepath.Join(t.TempDir(), "file")
		if err := os.WriteFile(path, []byte("mine"), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for name, tc := range map[string]struct {
		// make returns the folder, and what is to be seen to afterwards.
		make  func(t *testing.T) (dir string, afterwards func())
		wants string
	}{
		"held by another process": {func(t *testing.T) (string, func()) {
			dir, s := begun(t)
			return dir, func() {
				if _, err := s.write(t, seen("e2", "anna")); err != nil {
					t.Errorf("the process that holds it: %v", err)
				}
				s.stop(t)
				folder(dir).verifies(t, 1, 2)
			}
		}, "held by another process"},
		"of a newer version": {func(t *testing.T) (string, func()) {
			dir, s := begun(t)
			s.stop(t)
			mend := newerFormat(t, dir)
			return dir, func() {
				mend()
				folder(dir).verifies(t, 1, 1)
			}
		}, "written by a newer version"},
		"read only": {func(t *testing.T) (string, func()) {
			dir, s := begun(t)
			s.stop(t)
			readOnly(t, filepath.Join(dir, "db"))
			return dir, func() {}
		}, "store unavailable"},
		"new in a read-only folder": {func(t *testing.T) (string, func()) {
			dir := t.TempDir()
			readOnly(t, dir)
			return filepath.Join(dir, "new"), func() {}
		}, ""},
		"below a file": {func(t *testing.T) (string, func()) {
			return filepath.Join(file(t), "data"), func() {}
		}, "not a directory"},
		"a file": {func(t *testing.T) (string, func()) {
			path := file(t)
			return path, func() {
				if data, err := os.ReadFile(path); err != nil || string(data) != "mine" {
					t.Errorf("the file holds %q, %v", data, err)
				}
			}
		}, "not a directory"},
	} {
		t.Run(name, func(t *testing.T) {
			dir, afterwards := tc.make(t)
			oneLine(t, fails(t, "serve", "--data", dir, "--grpc-addr", "127.0.0.1:0", "--http-addr", "127.0.0.1:0"), dir, tc.wants)
			oneLine(t, fails(t, "verify", "--data", dir), dir, tc.wants)
			afterwards()
		})
	}
}

// TestADamagedModelIsPassedOver damages the model in service in several ways while the
// server is down: it starts all the same, says so, and recommends by the version before,
// by none where all are damaged, and by a new one after the next training.
func TestADamagedModelIsPassedOver(t *testing.T) {
	dir := t.TempDir()
	s := serve(t, folder(dir))
	var events []*attunev1.Event
	for n := range 400 {
		e := seen(fmt.Sprint("e", n), fmt.Sprint("user-", n%40))
		e.ItemId = fmt.Sprint("item-", (n*n+n/7)%20)
		events = append(events, e)
	}
	if _, err := s.write(t, events...); err != nil {
		t.Fatal(err)
	}
	recommends := func() string {
		t.Helper()
		answer, err := attunev1.NewRecommendationServiceClient(s.conn).Recommend(t.Context(), &attunev1.RecommendRequest{UserId: "user-1"})
		if err != nil || len(answer.GetItems()) == 0 {
			t.Fatalf("%v, %v", answer, err)
		}
		return answer.GetModelVersion()
	}
	payloads := func() []string {
		t.Helper()
		found, err := filepath.Glob(filepath.Join(dir, "models", "*"))
		if err != nil {
			t.Fatal(err)
		}
		return found
	}
	trains := func() (version, payload string) {
		t.Helper()
		before := payloads()
		if out, err := run(t, "train", "--algorithm", "item_knn", "--addr", s.grpcAddr); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		for _, path := range payloads() {
			if !slices.Contains(before, path) {
				return recommends(), path
			}
		}
		t.Fatal("training left no payload")
		return "", ""
	}
	first, firstPayload := trains()
	second, secondPayload := trains()
	whole, err := os.ReadFile(secondPayload)
	if err != nil {
		t.Fatal(err)
	}
	starts := func(wants string, path string, data []byte) {
		t.Helper()
		s.stop(t)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		s = serve(t, folder(dir))
		if got := recommends(); got != wants {
			t.Errorf("model %q recommends, want %q", got, wants)
		}
		if log := s.log(t); !strings.Contains(log, "THE ACTIVE MODEL CANNOT BE READ") || !strings.Contains(log, second) || strings.Contains(log, "goroutine") {
			t.Errorf("the server logged:\n%s", log)
		}
	}
	flipped := func(at int) []byte {
		data := slices.Clone(whole)
		data[at] ^= 0x40
		return data
	}
	starts(first, secondPayload, flipped(0))
	starts(first, secondPayload, flipped(len(whole)/2))
	starts(first, secondPayload, flipped(len(whole)-1))
	starts(first, secondPayload, whole[:len(whole)-3])
	starts(first, secondPayload, nil)
	starts("", firstPayload, []byte("no model"))
	third, _ := trains()
	s.stop(t)
	s = serve(t, folder(dir))
	defer s.stop(t)
	if got := recommends(); got != third || third <= second {
		t.Errorf("model %q recommends, want %q", got, third)
	}
	if log := s.log(t); strings.Contains(log, "CANNOT BE READ") {
		t.Errorf("after a new training the server logged:\n%s", log)
	}
}
