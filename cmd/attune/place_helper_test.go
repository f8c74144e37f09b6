package main_test

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/attune-shop/attune/store/testservers"
)

// place is the flags that say where the state is.
type place []string

// folder is a folder that holds all state.
func folder(dir string) place { return place{"--data", dir} }

// keyspace is a Redis and a new keyspace.
func keyspace(t *testing.T, redis string) place {
	t.Helper()
	return newKeyspace(t, redis, testservers.CQL(t), 1)
}

// newKeyspace makes a keyspace with so many copies on some nodes.
func newKeyspace(t *testing.T, redis string, nodes []string, replication int) place {
	t.Helper()
	scylla := place{"--scylla", strings.Join(nodes, ","), "--keyspace", testservers.KeyspaceName()}
	if out, err := run(t, slices.Concat(place{"migrate", "--replication", strconv.Itoa(replication), "--shards", "4"}, scylla)...); err != nil {
		t.Fatalf("migrate: %v: %s", err, out)
	}
	return slices.Concat(place{"--redis", redis}, scylla)
}

// verifies expects attune verify to find no difference, and what is counted.
func (p place) verifies(t *testing.T, users, events int) {
	t.Helper()
	p.verifiesBetween(t, users, events, events)
}

// verifiesBetween is for where some events may be stored whose writes were not acknowledged.
func (p place) verifiesBetween(t *testing.T, users, least, most int) {
	t.Helper()
	if report := p.verify(t); report.Users != users || report.Events < least || report.Events > most || report.Differences != 0 {
		t.Errorf("verify found %+v, want %d users, %d to %d events, 0 differences", report, users, least, most)
	}
}

// verifiesSegments expects attune verify to compare so many segments, and to find no difference.
func (p place) verifiesSegments(t *testing.T, segments int) {
	t.Helper()
	report := p.verify(t)
	if report.Segments != segments || report.Members == 0 || report.Differences != 0 {
		t.Errorf("verify found %+v, want %d segments with members, 0 differences", report, segments)
	}
	t.Logf("verify: %+v", report)
}

// verified is what attune verify prints.
type verified struct {
	Users, Events, Segments, Members, Waiting, Differences int
	Examples                                               []string
}

func (p place) verify(t *testing.T) (report verified) {
	t.Helper()
	out, err := run(t, slices.Concat([]string{"verify", "--output", "json"}, p)...)
	if err != nil {
		t.Errorf("verify: %v", err)
	}
	if err := json.Unmarshal(out, &report); err != nil {
		t.Fatalf("verify printed %q: %v", out, err)
	}
	return report
}
