package main_test

import (
	"math/rand/v2"
	"os"
	"sync/atomic"
	"syscall"
	"testing"
)

// replicas are running servers over the same stores.
type replicas struct {
	t       *testing.T
	where   place
	running []atomic.Pointer[service]
}

// serveReplicas starts n of them.
func serveReplicas(t *testing.T, where place, n int) *replicas {
	t.Helper()
	r := &replicas{t: t, where: where, running: make([]atomic.Pointer[service], n)}
	for i := range r.running {
		r.running[i].Store(serve(t, where))
	}
	return r
}

// any returns one of them.
func (r *replicas) any() *service { return r.running[rand.IntN(len(r.running))].Load() }

// kill ends one at once, and starts it anew.
func (r *replicas) kill(i int) {
	r.t.Helper()
	if err := r.running[i].Load().end(syscall.SIGKILL); err != nil {
		r.t.Fatal(err)
	}
	r.running[i].Store(serve(r.t, r.where))
}

// killAll ends all of them at once, and starts them anew after something else.
func (r *replicas) killAll(meanwhile func()) {
	r.t.Helper()
	for i := range r.running {
		if err := r.running[i].Load().end(syscall.SIGKILL); err != nil {
			r.t.Fatal(err)
		}
	}
	meanwhile()
	for i := range r.running {
		r.running[i].Store(serve(r.t, r.where))
	}
}

// end ends them as an operator does.
func (r *replicas) end() {
	r.t.Helper()
	for i := range r.running {
		if err := r.running[i].Load().end(os.Interrupt); err != nil {
			r.t.Errorf("a server ended with %v", err)
		}
	}
}
