package server

import (
	"io"
	"log/slog"
	"strings"
	"testing"
)

// TestSettingsThatCannotBe: each is refused by name, before any server is asked.
func TestSettingsThatCannotBe(t *testing.T) {
	both := StoreConfig{Redis: []string{"127.0.0.1:1"}, ScyllaConfig: ScyllaConfig{Scylla: []string{"127.0.0.1:1"}, Keyspace: "shop"}}
	if err := both.check(); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		set   func(c *StoreConfig)
		wants string // nothing where it can be
	}{
		"levels that promise":      {func(c *StoreConfig) { c.ScyllaConsistency = "quorum" }, ""},
		"one copy":                 {func(c *StoreConfig) { c.ScyllaConsistency = "ONE" }, "--scylla-consistency must be one of LOCAL_QUORUM, QUORUM, ALL"},
		"a level of transactions":  {func(c *StoreConfig) { c.ScyllaConsistency = "SERIAL" }, "--scylla-consistency must be one of"},
		"a level without reads":    {func(c *StoreConfig) { c.ScyllaConsistency = "ANY" }, "--scylla-consistency must be one of"},
		"a user without password":  {func(c *StoreConfig) { c.ScyllaUser = "u" }, "--scylla-user needs --scylla-password"},
		"a password without user":  {func(c *StoreConfig) { c.ScyllaPassword = "p" }, "--scylla-password needs --scylla-user"},
		"both":                     {func(c *StoreConfig) { c.ScyllaUser, c.ScyllaPassword = "u", "p" }, ""},
		"Redis has a default user": {func(c *StoreConfig) { c.RedisPassword = "p" }, ""},
		"certificates for nothing": {func(c *StoreConfig) { c.StoresCA = "ca.pem" }, "--stores-ca needs"},
		"certificates for one":     {func(c *StoreConfig) { c.StoresCA, c.ScyllaTLS = "ca.pem", true }, ""},
		"no keyspace":              {func(c *StoreConfig) { c.Keyspace = "" }, "--keyspace: must be a-z, 0-9 and _"},
		"a name in quotes":         {func(c *StoreConfig) { c.Keyspace = "Shop" }, "--keyspace: must be a-z, 0-9 and _"},
		"less than none":           {func(c *StoreConfig) { c.ScyllaInFlight = -1 }, "--scylla-in-flight"},
	} {
		c := both
		tc.set(&c)
		err := c.check()
		if (tc.wants == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), tc.wants) {
			t.Errorf("%s: serve says %v, want %q", name, err, tc.wants)
		}
		if tc.wants == "" || c.StoresCA != "" {
			continue
		}
		err = Migrate(t.Context(), MigrateConfig{ScyllaConfig: c.ScyllaConfig}, slog.New(slog.DiscardHandler), io.Discard)
		if err == nil || !strings.Contains(err.Error(), tc.wants) {
			t.Errorf("%s: migrate says %v, want %q", name, err, tc.wants)
		}
	}
	alone := MigrateConfig{ScyllaConfig: both.ScyllaConfig}
	alone.StoresCA = "ca.pem"
	if err := Migrate(t.Context(), alone, slog.New(slog.DiscardHandler), io.Discard); err == nil || !strings.Contains(err.Error(), "--stores-ca needs --scylla-tls") {
		t.Errorf("migrate with certificates for nothing: %v", err)
	}
}
