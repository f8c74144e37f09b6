package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/alecthomas/kong"
)

// TestSettingsAreOneSurface: a flag wins over the environment, that over the file, that
// over the default.
func TestSettingsAreOneSurface(t *testing.T) {
	file := filepath.Join(t.TempDir(), "attune.yaml")
	text := "data: everywhere\nserve:\n  grpc-addr: file:1\n  http-addr: file:2\n  retention: 7\n  keep-models: 9\n  now: 2026-06-01T12:00:00Z\n  weights:\n    view_item: 2\n    purchase: 7.5\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("ATTUNE_HTTP_ADDR", "environment:2")
	t.Setenv("ATTUNE_KEEP_MODELS", "8")
	var cli CLI
	parser, err := kong.New(&cli, kong.Configuration(settings), kong.DefaultEnvars("ATTUNE"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := parser.Parse([]string{"serve", "--config", file, "--keep-models", "3"}); err != nil {
		t.Fatal(err)
	}
	c := cli.Serve.Config
	for name, is := range map[string]bool{
		"the default":                c.CacheMiB == 128,
		"the file":                   c.GRPCAddr == "file:1" && c.Retention == 7 && c.Now.Year() == 2026,
		"a map in the file":          c.Weights["view_item"] == 2 && c.Weights["purchase"] == 7.5,
		"the top of the file":        c.Data == "everywhere",
		"the environment over that":  c.HTTPAddr == "environment:2",
		"the flag over all of these": c.KeepModels == 3,
	} {
		if !is {
			t.Errorf("%s does not count: %+v", name, c)
		}
	}
	if _, err := parser.Parse([]string{"verify", "--config", file}); err != nil || cli.Verify.Data != "everywhere" {
		t.Errorf("verify in %q, %v", cli.Verify.Data, err)
	}
}
