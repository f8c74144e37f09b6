package main_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
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

// service is a running server over a data folder, on free ports.
type service struct {
	command  *exec.Cmd
	conn     *grpc.ClientConn
	grpcAddr string
	httpAddr string
	logFile  string
}

func serve(t *testing.T, dir string) *service {
	t.Helper()
	path, err := attune()
	if err != nil {
		t.Fatal(err)
	}
	s := &service{command: exec.CommandContext(context.Background(), path, "serve", "--data", dir, "--grpc-addr", "127.0.0.1:0", "--http-addr", "127.0.0.1:0")}
	log, err := os.CreateTemp(t.TempDir(), "log-*")
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	s.command.Stderr, s.logFile = log, log.Name()
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("a server logged:\n%s", s.log(t))
		}
	})
	out, err := s.command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.command.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("the server ended before it was ready: %v", err)
	}
	if _, err := fmt.Sscanf(strings.ReplaceAll(line, "=", " "), "ready grpc %s http %s", &s.grpcAddr, &s.httpAddr); err != nil {
		t.Fatalf("ready line %q: %v", line, err)
	}
	if s.conn, err = grpc.NewClient(s.grpcAddr, grpc.WithTransportCredentials(insecure.NewCredentials())); err != nil {
		t.Fatal(err)
	}
	return s
}

// log returns what the server wrote to its error output so far.
func (s *service) log(t *testing.T) string {
	t.Helper()
	data, err := os.ReadFile(s.logFile)
	if err != nil {
		t.Error(err)
	}
	return string(data)
}

// end sends a signal and waits for the end of the process.
func (s *service) end(signal os.Signal) error {
	_ = s.conn.Close()
	if err := s.command.Process.Signal(signal); err != nil {
		return err
	}
	err := s.command.Wait()
	if signal == os.Kill {
		return nil
	}
	return err
}
