package e2e_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	attunev1 "github.com/attune-shop/attune/gen/attune/v1"
	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/server"
)

// files returns those of a folder that match, at least one.
func files(t *testing.T, dir string, pattern ...string) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(append([]string{dir}, pattern...)...))
	if err != nil || len(found) == 0 {
		t.Fatalf("%v in %s: %v, %v", pattern, dir, found, err)
	}
	return found
}

// recommends tells how many items user-1 is recommended, and by which model.
func (s *shop) recommends() (items int, model string) {
	s.t.Helper()
	answer, err := s.lists.Recommend(s.t.Context(), &attunev1.RecommendRequest{UserId: "user-1"})
	if err != nil {
		s.t.Fatal(err)
	}
	return len(answer.GetItems()), answer.GetModelVersion()
}

// TestADamagedModel starts on a folder whose model in service has a bit turned over: lists
// come from the version before it, and without any other version from what is popular.
func TestADamagedModel(t *testing.T) {
	dir := t.TempDir()
	damage := func(path string) {
		t.Helper()
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		data[len(data)/2] ^= 1
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s := open(t, folder(dir))
	s.fill()
	_, first := s.recommends()
	firstFile := files(t, dir, "models", "*")
	s.train()
	_, second := s.recommends()
	if first == second || first == "" {
		t.Fatalf("models %q and %q", first, second)
	}
	s.close()
	for _, path := range files(t, dir, "models", "*") {
		if !slices.Contains(firstFile, path) {
			damage(path)
		}
	}
	s = open(t, folder(dir))
	if items, model := s.recommends(); items == 0 || model != first {
		t.Errorf("with the newest model damaged: %d items of model %q, want some of %q", items, model, first)
	}
	s.close()
	damage(firstFile[0])
	s = open(t, folder(dir))
	if items, model := s.recommends(); items == 0 || model != "" {
		t.Errorf("with every model damaged: %d items of model %q", items, model)
	}
}

func TestAFolderOfANewerVersion(t *testing.T) {
	dir := t.TempDir()
	open(t, folder(dir)).close()
	marker := files(t, dir, "db", "marker.format-version.*")[0]
	if err := os.Rename(marker, filepath.Join(dir, "db", "marker.format-version.000099.999")); err != nil {
		t.Fatal(err)
	}
	_, err := server.Start(t.Context(), server.Config{StoreConfig: folder(dir), GRPCAddr: "127.0.0.1:0", HTTPAddr: "127.0.0.1:0", Logger: slog.New(slog.DiscardHandler)})
	if !errors.Is(err, event.ErrNewerVersion) {
		t.Errorf("error is %v, want %v", err, event.ErrNewerVersion)
	}
}

// TestFeaturesThatAreGone deletes the folder of features: they are made again.
func TestFeaturesThatAreGone(t *testing.T) {
	dir := t.TempDir()
	s := open(t, folder(dir))
	s.fill()
	var before, again map[string]any
	s.get("/v1/users/user-1", &before)
	s.close()
	if err := os.RemoveAll(filepath.Join(dir, "features")); err != nil {
		t.Fatal(err)
	}
	s = open(t, folder(dir))
	s.get("/v1/users/user-1", &again)
	if diff := cmp.Diff(before, again); diff != "" {
		t.Error(diff)
	}
	s.close()
	if report, err := server.Verify(t.Context(), server.VerifyConfig{StoreConfig: folder(dir)}); err != nil || report.Differences() != 0 || report.History.Events == 0 {
		t.Errorf("verify: %+v, %v", report, err)
	}
}

// TestAStrangerDoesNotHoldUpTheEnd: a connection that never says a word to gRPC.
func TestAStrangerDoesNotHoldUpTheEnd(t *testing.T) {
	s := open(t, folder(t.TempDir()))
	stranger, err := net.Dial("tcp", s.server.GRPCAddr())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = stranger.Close() }()
	if _, err := s.items.ListItems(t.Context(), &attunev1.ListItemsRequest{}); err != nil { // the stranger's was accepted before
		t.Fatal(err)
	}
	cut, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.server.Close(cut); err != nil {
		t.Error(err)
	}
	s.server = nil
	if err := s.conn.Close(); err != nil {
		t.Error(err)
	}
	if _, err := stranger.Read(make([]byte, 1000)); err == nil {
		_, err = io.Copy(io.Discard, stranger)
		if err != nil && !errors.Is(err, syscall.ECONNRESET) {
			t.Error(err)
		}
	}
}
