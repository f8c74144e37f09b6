package main_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	attunev1 "github.com/attune-shop/attune/gen/attune/v1"
)

// service is a running server, on free ports.
type service struct {
	command  *exec.Cmd
	conn     *grpc.ClientConn
	grpcAddr string
	httpAddr string
	logFile  string
}

// serve starts a server and waits until it is ready.
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

// stop ends the server as an operator would.
func (s *service) stop(t *testing.T) {
	t.Helper()
	if err := s.end(os.Interrupt); err != nil {
		t.Errorf("the server ended with %v", err)
	}
}

// write sends events in one call.
func (s *service) write(t *testing.T, events ...*attunev1.Event) (*attunev1.WriteResponse, error) {
	t.Helper()
	return attunev1.NewEventServiceClient(s.conn).Write(t.Context(), &attunev1.WriteRequest{Events: events})
}

// count returns how many events are known of a user.
func (s *service) count(t *testing.T, id string) (events int64) {
	t.Helper()
	user, err := attunev1.NewUserServiceClient(s.conn).GetUser(t.Context(), &attunev1.GetUserRequest{UserId: id})
	if status.Code(err) == codes.NotFound {
		return 0
	}
	if err != nil {
		t.Fatalf("user %s: %v", id, err)
	}
	for _, n := range user.GetEventCounts() {
		events += n
	}
	return events
}

// ask runs a command of the client against the server and returns what it printed.
func (s *service) ask(t *testing.T, args ...string) string {
	t.Helper()
	out, err := run(t, append(args, "--addr", s.grpcAddr)...)
	if err != nil {
		t.Fatalf("%v: %v\n%s", args, err, out)
	}
	return string(out)
}

// asks expects of what a command prints that all of these are in it.
func (s *service) asks(t *testing.T, wants []string, args ...string) {
	t.Helper()
	out := s.ask(t, args...)
	for _, want := range wants {
		if !strings.Contains(out, want) {
			t.Errorf("%v printed\n%s\nwithout %q", args, out, want)
		}
	}
}
