package server_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/attune-shop/attune/"

// floors says of each folder what its code may not import, tests apart. An arrow between
// the floors points down only.
var floors = []struct {
	under string
	never []string
}{
	{"model/", []string{module + "store", module + "server", module + "cmd", module + "gen", "google.golang.org/grpc", "google.golang.org/protobuf"}},
	{"model/cf/eval/", []string{module + "model/cf/linear", module + "model/cf/spectral", module + "model/cf/sequence"}},
	{"store/", []string{module + "server", module + "cmd", module + "gen", "google.golang.org/grpc", "google.golang.org/protobuf"}},
	{"server/", []string{module + "cmd"}},
}

// drivers are imported in one folder only, and by benchmarks, which measure beside them.
var drivers = map[string]string{
	"github.com/cockroachdb/pebble": "store/embedded/",
	"github.com/redis/go-redis":     "store/redis/",
	"github.com/gocql/gocql":        "store/scylla/",
}

// TestImports holds the code to the floors of docs/architecture.md.
func TestImports(t *testing.T) {
	seen := 0
	err := filepath.WalkDir("..", func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && strings.HasPrefix(entry.Name(), ".") && entry.Name() != ".." {
			return filepath.SkipDir
		}
		if entry.IsDir() || !strings.HasSuffix(path, ".go") {
			return nil
		}
		seen++
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		place := strings.TrimPrefix(filepath.ToSlash(path), "../")
		for _, spec := range file.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			if why := forbidden(place, imported); why != "" {
				t.Errorf("%s imports %s: %s", place, imported, why)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if seen < 50 {
		t.Errorf("only %d files seen", seen)
	}
}

func forbidden(place, imported string) string {
	isTest := strings.HasSuffix(place, "_test.go")
	for _, floor := range floors {
		if !strings.HasPrefix(place, floor.under) || isTest {
			continue
		}
		for _, never := range floor.never {
			if within(imported, never) {
				return "nothing under " + floor.under + " may"
			}
		}
	}
	for driver, home := range drivers {
		if within(imported, driver) && !strings.HasPrefix(place, home) && !strings.HasPrefix(place, "benchmarks/") {
			return "only " + home + " may"
		}
	}
	if within(imported, module+"gen") && !isTest && !strings.HasPrefix(place, "server/") && !strings.HasPrefix(place, "cmd/") &&
		!strings.HasPrefix(place, "benchmarks/") && !strings.HasPrefix(place, "gen/") {
		return "what is on the wire stays in server and cmd"
	}
	return ""
}

// within tells whether path is the package or module, or under it.
func within(path, parent string) bool {
	return path == parent || strings.HasPrefix(path, parent+"/")
}

func TestForbidden(t *testing.T) {
	for _, tc := range []struct {
		place, imported string
		want            bool
	}{
		{"model/cf/als.go", module + "store", true},
		{"model/cf/als.go", module + "model/event", false},
		{"model/cf/eval/hold.go", module + "model/cf/linear", true},
		{"model/cf/als_test.go", module + "gen/attune/v1", false},
		{"store/history/shard.go", module + "server/wire", true},
		{"store/history/shard.go", "github.com/cockroachdb/pebble/v2", true},
		{"store/embedded/open.go", "github.com/cockroachdb/pebble/v2", false},
		{"server/server.go", module + "gen", false},
		{"server/server.go", "github.com/cockroachdb/pebble/v2/vfs", true},
		{"web/page.go", module + "gen/attune/v1", true},
	} {
		if got := forbidden(tc.place, tc.imported) != ""; got != tc.want {
			t.Errorf("%s imports %s: forbidden %v", tc.place, tc.imported, got)
		}
	}
}
