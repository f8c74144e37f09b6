package testservers

import (
	"bufio"
	"errors"
	"net"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"
)

// RedisServer is a redis-server of the test's own, to stop, kill and start again.
type RedisServer struct {
	// Addr is HOST:PORT, the same after each start.
	Addr string

	t       testing.TB
	args    []string
	command *exec.Cmd
}

// StartRedis starts a redis-server in a folder with options as on its command line, where a
// configuration file comes first, and ends it with the test. Without the program the test is
// left out, which in CI is a failure.
func StartRedis(t testing.TB, dir string, args ...string) *RedisServer {
	t.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		leaveOut(t, "there is no redis-server: run make test")
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := listener.Addr().String()
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(addr)
	s := &RedisServer{Addr: addr, t: t, args: append(slices.Clone(args), "--port", port, "--bind", "127.0.0.1", "--dir", dir)}
	s.Start()
	t.Cleanup(s.Kill)
	return s
}

// Start starts the server again and waits until it answers.
func (s *RedisServer) Start() {
	s.t.Helper()
	s.command = exec.Command("redis-server", s.args...)
	if err := s.command.Start(); err != nil {
		s.t.Fatal(err)
	}
	for deadline := time.Now().Add(20 * time.Second); !s.answers(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			s.t.Fatal("redis-server does not answer")
		}
	}
}

// answers tells whether the server does, be it with a refusal.
func (s *RedisServer) answers() bool {
	line, err := s.ask("PING")
	return err == nil && !strings.HasPrefix(line, "-LOADING")
}

// Do sends a command past Attune and returns the first line of its answer, without the end.
func (s *RedisServer) Do(command string) string {
	s.t.Helper()
	line, err := s.ask(command)
	if err == nil && strings.HasPrefix(line, "-") {
		err = errors.New(line)
	}
	if err != nil {
		s.t.Fatalf("redis-server: %s: %v", command, err)
	}
	return line
}

// ask sends a command on a connection of its own and returns the first line of its answer.
func (s *RedisServer) ask(command string) (string, error) {
	conn, err := net.DialTimeout("tcp", s.Addr, time.Second)
	if err != nil {
		return "", err
	}
	defer func() { _ = conn.Close() }() // it was read from, or failed
	if err := conn.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
		return "", err
	}
	if _, err := conn.Write([]byte(command + "\r\n")); err != nil {
		return "", err
	}
	line, err := bufio.NewReader(conn).ReadString('\n')
	return strings.TrimSuffix(line, "\r\n"), err
}

// Kill ends the server at once, if it runs.
func (s *RedisServer) Kill() {
	if s.command == nil {
		return
	}
	_ = s.command.Process.Kill() // it may have ended
	_ = s.command.Wait()         // it was killed
	s.command = nil
}
