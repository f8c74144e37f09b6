// Package testservers has the real servers that tests talk to.
//
// Most tests share the ones that .ci/services starts: ATTUNE_TEST_REDIS is HOST:PORT of a
// Redis, ATTUNE_TEST_CQL those of the nodes of a CQL server, with commas between them. A test
// that needs a server that is not there is left out and says so, "LEFT OUT"; in CI (CI=true)
// it fails instead, so that nothing goes untested there unseen.
//
// A test that stops servers starts some of its own: StartRedis where there is a redis-server,
// by the same rule, and StartCQLCluster only with ATTUNE_TEST_CLUSTER=true, for that takes long.
package testservers

import (
	"crypto/rand"
	"os"
	"strings"
	"testing"
)

// Redis returns HOST:PORT of the Redis that tests share, and leaves the test out without one.
func Redis(t testing.TB) string {
	t.Helper()
	return shared(t, "ATTUNE_TEST_REDIS", "Redis")
}

// CQL returns HOST:PORT of the nodes of the CQL server that tests share, and leaves the test
// out without one.
func CQL(t testing.TB) []string {
	t.Helper()
	return strings.Split(shared(t, "ATTUNE_TEST_CQL", "CQL server"), ",")
}

// KeyspaceName returns a name that no other keyspace of a CQL server has, for one of a test's own.
func KeyspaceName() string { return "test_" + strings.ToLower(rand.Text()[:8]) }

func shared(t testing.TB, variable, name string) string {
	t.Helper()
	address := os.Getenv(variable)
	if address == "" {
		leaveOut(t, "there is no "+name+": run make test, or set "+variable)
	}
	return address
}

// leaveOut ends a test that lacks something: in CI it fails.
func leaveOut(t testing.TB, why string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal(why)
	}
	t.Skip("LEFT OUT, " + why)
}
