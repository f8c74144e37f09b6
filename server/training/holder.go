package training

import (
	"sync/atomic"

	"github.com/attune-shop/attune/model/cf"
)

// Holder holds the Snapshot in service. The zero Holder holds none. It is safe for
// concurrent use: readers never wait, and keep what they took for as long as they like.
type Holder struct{ active atomic.Pointer[active] }

type active struct {
	snapshot *cf.Snapshot
	version  string
}

// Active returns the Snapshot in service with its version; nil and "" where there is none.
func (h *Holder) Active() (*cf.Snapshot, string) {
	if a := h.active.Load(); a != nil {
		return a.snapshot, a.version
	}
	return nil, ""
}

// Set puts a Snapshot in service, for all requests that begin from now on.
func (h *Holder) Set(s *cf.Snapshot, version string) {
	h.active.Store(&active{snapshot: s, version: version})
}
