package scylla

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/attune-shop/attune/model/event"
)

// partBytes is the size of a part of a payload; each part is a partition.
const partBytes = 512 << 10

// writePayload stores what a reader gives under an id that nobody else uses, for a time or,
// where that is 0, for good, and returns the number of parts: after an error, of those that
// may be there. An error of the reader's comes back as it is.
func (s *Store) writePayload(ctx context.Context, id string, content io.Reader, ttl time.Duration) (parts int, err error) {
	part := make([]byte, partBytes)
	for {
		n, readErr := io.ReadFull(content, part)
		if readErr != nil && !errors.Is(readErr, io.EOF) && !errors.Is(readErr, io.ErrUnexpectedEOF) {
			return parts, readErr
		}
		if n > 0 {
			parts++ // it may be stored though no answer comes
			err := s.exec(ctx, `INSERT INTO payloads (id, part, data) VALUES (?, ?, ?) USING TTL ?`, id, parts-1, part[:n], int(ttl.Seconds()))
			if err != nil {
				return parts, fmt.Errorf("payload: %w", err)
			}
		}
		if readErr != nil {
			return parts, nil
		}
	}
}

// deletePayload deletes a payload of up to that many parts, the last one first: where it
// fails, deleteAbandoned finds the others.
func (s *Store) deletePayload(ctx context.Context, id string, parts int) error {
	for part := parts - 1; part >= 0; part-- {
		if err := s.exec(ctx, `DELETE FROM payloads WHERE id = ? AND part = ?`, id, part); err != nil {
			return fmt.Errorf("delete payload: %w", err)
		}
	}
	return nil
}

// payload reads the parts of a payload one after the other.
type payload struct {
	ctx   context.Context //nolint:containedctx // io.Reader has no other place for it
	store *Store
	id    string
	parts int
	next  int
	rest  bytes.Reader
}

func (s *Store) openPayload(ctx context.Context, id string, parts int) *payload {
	return &payload{ctx: ctx, store: s, id: id, parts: parts}
}

// Read implements io.Reader. A part that is missing is event.ErrCorrupt.
func (p *payload) Read(into []byte) (int, error) {
	for p.rest.Len() == 0 {
		if p.next == p.parts {
			return 0, io.EOF
		}
		var data []byte
		err := p.store.one(p.ctx, []any{&data}, `SELECT data FROM payloads WHERE id = ? AND part = ?`, p.id, p.next)
		if errors.Is(err, event.ErrNotFound) {
			err = fmt.Errorf("part %d of %d is missing: %w", p.next, p.parts, event.ErrCorrupt)
		}
		if err != nil {
			return 0, fmt.Errorf("payload %s: %w", p.id, err)
		}
		p.rest.Reset(data)
		p.next++
	}
	return p.rest.Read(into)
}

// Close implements io.Closer.
func (p *payload) Close() error { return nil }
