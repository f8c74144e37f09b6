package main

import (
	"encoding/json"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
)

type versionCmd struct {
	Output string `help:"Form of the output: ${enum}." enum:"text,json" default:"text"`
}

// Run prints the version of Attune, of Go, and the revision it was built from.
func (c *versionCmd) Run(out io.Writer) error {
	version, revision := "devel", ""
	if info, ok := debug.ReadBuildInfo(); ok {
		if v := info.Main.Version; v != "" && v != "(devel)" {
			version = v
		}
		for _, setting := range info.Settings {
			if setting.Key == "vcs.revision" {
				revision = setting.Value
			}
		}
	}
	if c.Output == "json" {
		return json.NewEncoder(out).Encode(map[string]string{"version": version, "revision": revision, "go": runtime.Version()})
	}
	_, err := fmt.Fprintf(out, "attune %s %s %s/%s\n", version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return err
}
