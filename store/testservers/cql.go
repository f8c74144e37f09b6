package testservers

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// CQLCluster is a cluster of CQL servers of the test's own, with a Redis beside it.
type CQLCluster struct {
	// Redis is HOST:PORT, and Nodes that of each node.
	Redis string
	Nodes []string

	t    testing.TB
	home string
}

// StartCQLCluster starts so many nodes and ends them with the test. That takes a minute and
// some gigabytes, so it is left out unless ATTUNE_TEST_CLUSTER=true (make test-cluster).
func StartCQLCluster(t testing.TB, nodes int) *CQLCluster {
	t.Helper()
	if os.Getenv("ATTUNE_TEST_CLUSTER") != "true" {
		t.Skip("left out: make test-cluster runs it")
	}
	c := &CQLCluster{t: t, home: t.TempDir()}
	t.Cleanup(func() { c.services("down") })
	for line := range strings.Lines(c.services("up", strconv.Itoa(nodes))) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		switch name {
		case "ATTUNE_TEST_REDIS":
			c.Redis = value
		case "ATTUNE_TEST_CQL":
			c.Nodes = strings.Split(value, ",")
		}
	}
	if c.Redis == "" || len(c.Nodes) != nodes {
		t.Fatalf("started %q and %q", c.Redis, c.Nodes)
	}
	return c
}

// Kill ends a node at once; the first is number 1.
func (c *CQLCluster) Kill(node int) {
	c.t.Helper()
	text, err := os.ReadFile(filepath.Join(c.home, "node"+strconv.Itoa(node), "pid"))
	if err != nil {
		c.t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err == nil {
		err = syscall.Kill(pid, syscall.SIGKILL)
	}
	if err != nil {
		c.t.Fatal(err)
	}
}

// Start starts a node again and waits until it answers.
func (c *CQLCluster) Start(node int) {
	c.t.Helper()
	c.services("node", strconv.Itoa(node))
}

// services runs the script that starts servers, with a folder of this cluster's own.
func (c *CQLCluster) services(args ...string) string {
	c.t.Helper()
	script := filepath.Join(moduleFolder(c.t), ".ci", "services")
	command := exec.Command(script, args...)
	command.Env = append(os.Environ(), "ATTUNE_SERVICES="+c.home)
	command.Stderr = os.Stderr
	out, err := command.Output()
	if err != nil {
		c.t.Fatalf("%s %s: %v", script, strings.Join(args, " "), err)
	}
	return string(out)
}

// moduleFolder returns the folder of go.mod, which tests run below.
func moduleFolder(t testing.TB) string {
	t.Helper()
	start, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for dir := start; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		if dir == filepath.Dir(dir) {
			t.Fatalf("there is no go.mod in %s or above", start)
		}
	}
}
