package server

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestStreamsAreKnown(t *testing.T) {
	if diff := cmp.Diff(map[string]bool{"/v1/events:stream": true, "/v1/items:import": false, "/v1/models:train": false}, streams); diff != "" {
		t.Error(diff)
	}
}
