package main_test

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/attune-shop/attune/store/storetest"
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

// place is the flags that say where the state is.
type place []string

func folder(dir string) place { return place{"--data", dir} }

// keyspace is a Redis and a new keyspace.
func keyspace(t *testing.T, redis string) place {
	t.Helper()
	return newKeyspace(t, redis, storetest.CQL(t), 1)
}

func newKeyspace(t *testing.T, redis string, nodes []string, replication int) place {
	t.Helper()
	scylla := place{"--scylla", strings.Join(nodes, ","), "--keyspace", "cmd_" + strings.ToLower(rand.Text()[:8])}
	if out, err := run(t, slices.Concat(place{"migrate", "--replication", strconv.Itoa(replication), "--shards", "4"}, scylla)...); err != nil {
		t.Fatalf("migrate: %v: %s", err, out)
	}
	return slices.Concat(place{"--redis", redis}, scylla)
}

// verifies expects attune verify to find no difference, and what is counted.
func (p place) verifies(t *testing.T, users, events int) {
	t.Helper()
	out, err := run(t, slices.Concat([]string{"verify", "--output", "json"}, p)...)
	if err != nil {
		t.Errorf("verify: %v", err)
	}
	var report struct{ Users, Events, Differences int }
	if err := json.Unmarshal(out, &report); err != nil {
		t.Fatalf("verify printed %q: %v", out, err)
	}
	if report.Users != users || report.Events != events || report.Differences != 0 {
		t.Errorf("verify found %+v, want %d users, %d events, 0 differences", report, users, events)
	}
}

// service is a running server, on free ports.
type service struct {
	command  *exec.Cmd
	conn     *grpc.ClientConn
	grpcAddr string
	httpAddr string
	logFile  string
}

func serve(t *testing.T, where place) *service {
	t.Helper()
	path, err := attune()
	if err != nil {
		t.Fatal(err)
	}
	args := slices.Concat([]string{"serve", "--grpc-addr", "127.0.0.1:0", "--http-addr", "127.0.0.1:0"}, where)
	s := &service{command: exec.CommandContext(context.Background(), path, args...)}
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
