package main_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// attune builds the binary once for all tests and returns its path.
var attune = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "attune-test-*")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "attune")
	if out, err := exec.Command("go", "build", "-o", path, ".").CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return path, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if path, err := attune(); err == nil {
		_ = os.RemoveAll(filepath.Dir(path))
	}
	os.Exit(code)
}

// run runs the binary to its end and returns what it printed.
func run(t *testing.T, args ...string) ([]byte, error) {
	t.Helper()
	path, err := attune()
	if err != nil {
		t.Fatal(err)
	}
	command := exec.Command(path, args...)
	command.Stderr = os.Stderr
	return command.Output()
}

// fails runs the binary, expects exit code 1, and returns what it wrote to the error output.
func fails(t *testing.T, args ...string) string {
	t.Helper()
	path, err := attune()
	if err != nil {
		t.Fatal(err)
	}
	var stderr strings.Builder
	command := exec.CommandContext(t.Context(), path, args...)
	command.Stderr = &stderr
	if err := command.Run(); command.ProcessState.ExitCode() != 1 {
		t.Fatalf("%v: %v", args, err)
	}
	return stderr.String()
}

// oneLine expects of an error output that it is one line that a person can read.
func oneLine(t *testing.T, text string, wants ...string) {
	t.Helper()
	if strings.Count(text, "\n") != 1 || !strings.HasPrefix(text, "attune: error: ") {
		t.Errorf("not one line of error:\n%s", text)
	}
	for _, want := range wants {
		if !strings.Contains(text, want) {
			t.Errorf("%q does not say %q", text, want)
		}
	}
}
