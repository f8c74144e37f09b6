package scylla

import (
	"bytes"
	"context"
	"errors"
	"io"
	"testing"

	"github.com/attune-shop/attune/store"
)

// interrupted gives what it has and ends a context at a given byte.
type interrupted struct {
	io.Reader
	rest int
	stop context.CancelFunc
}

func (r *interrupted) Read(into []byte) (int, error) {
	n, err := r.Reader.Read(into)
	if r.rest -= n; r.rest <= 0 {
		r.stop()
	}
	return n, err
}

// TestPartsUnderWayCount: a part whose write fails may be stored, so it is counted, and what
// is left of a model that could not be saved is deleted.
func TestPartsUnderWayCount(t *testing.T) {
	s := opened(t, freshKeyspace(t))
	content := func() (context.Context, *interrupted) {
		ctx, stop := context.WithCancel(t.Context())
		return ctx, &interrupted{bytes.NewReader(make([]byte, 3*partBytes)), 2 * partBytes, stop}
	}
	ctx, reader := content()
	if parts, err := s.writePayload(ctx, "model/x", reader, 0); parts != 2 || !errors.Is(err, context.Canceled) {
		t.Errorf("%d parts may be there: %v", parts, err)
	}
	if err := s.deletePayload(t.Context(), "model/x", 2); err != nil {
		t.Error(err)
	}

	ctx, reader = content()
	if err := s.SaveModel(ctx, store.Model{Version: "1"}, reader); !errors.Is(err, context.Canceled) {
		t.Errorf("saved: %v", err)
	}
	if r, err := s.registry(t.Context()); err != nil || len(r.Pending) > 0 || len(r.Models) > 0 {
		t.Errorf("left %+v, %v", r, err)
	}
	left := s.session.Query(`SELECT id, part FROM payloads`).Iter()
	if n := left.NumRows(); n > 0 {
		t.Errorf("%d parts are left", n)
	}
	if err := left.Close(); err != nil {
		t.Error(err)
	}
}
