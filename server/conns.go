package server

import (
	"net"
	"sync"
)

// connTracker is a listener that can close every connection that it gave out.
type connTracker struct {
	net.Listener

	mu   sync.Mutex
	open map[*trackedConn]struct{}
}

func newConnTracker(listener net.Listener) *connTracker {
	return &connTracker{Listener: listener, open: map[*trackedConn]struct{}{}}
}

// Accept implements net.Listener.
func (t *connTracker) Accept() (net.Conn, error) {
	conn, err := t.Listener.Accept()
	if err != nil {
		return nil, err
	}
	tracked := &trackedConn{Conn: conn, tracker: t}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.open[tracked] = struct{}{}
	return tracked, nil
}

func (t *connTracker) closeAll() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for conn := range t.open {
		_ = conn.Conn.Close() // who reads from it finds out
	}
}

type trackedConn struct {
	net.Conn
	tracker *connTracker
}

// Close implements net.Conn.
func (c *trackedConn) Close() error {
	c.tracker.mu.Lock()
	delete(c.tracker.open, c)
	c.tracker.mu.Unlock()
	return c.Conn.Close()
}
