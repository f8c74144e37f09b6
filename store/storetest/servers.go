package storetest

import (
	"os"
	"strings"
	"testing"
)

// Redis returns HOST:PORT of the Redis that tests may use (.ci/services). Where there is
// none the test is left out, which in CI (CI=true) is a failure.
func Redis(t testing.TB) string {
	t.Helper()
	return server(t, "ATTUNE_TEST_REDIS", "Redis")
}

// CQL returns HOST:PORT of the nodes of the CQL server that tests may use, as Redis does.
func CQL(t testing.TB) []string {
	t.Helper()
	return strings.Split(server(t, "ATTUNE_TEST_CQL", "CQL server"), ",")
}

func server(t testing.TB, variable, name string) string {
	t.Helper()
	address := os.Getenv(variable)
	switch {
	case address != "":
	case os.Getenv("CI") == "true":
		t.Fatalf("there is no %s: %s is not set", name, variable)
	default:
		t.Skipf("LEFT OUT, there is no %s: run make test, or set %s", name, variable)
	}
	return address
}
