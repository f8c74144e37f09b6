package webhook

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/attune-shop/attune/store"
	"github.com/attune-shop/attune/store/membership"
	"github.com/attune-shop/attune/store/repeat"
)

// heads tells all webhooks of new rows: the stores are asked once for all of them.
type heads struct {
	reader *membership.Reader
	// wanted says that anybody waits.
	wanted atomic.Bool

	mu      sync.Mutex
	seqs    []store.Seq
	changed []chan struct{} // closed with the next row, and then another takes its place
}

func newHeads(reader *membership.Reader) *heads {
	h := &heads{reader: reader, seqs: make([]store.Seq, reader.Shards())}
	for range h.seqs {
		h.changed = append(h.changed, make(chan struct{}))
	}
	return h
}

// wait returns once a shard has a row after a number, or with the error of ctx.
func (h *heads) wait(ctx context.Context, shard int, after store.Seq) error {
	for {
		h.mu.Lock()
		head, changed := h.seqs[shard], h.changed[shard]
		h.mu.Unlock()
		if head > after {
			return ctx.Err()
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-changed:
		}
	}
}

// follow looks for new rows until ctx ends.
func (h *heads) follow(ctx context.Context, logger *slog.Logger) {
	repeat.Look(ctx, h.reader.PollEvery(), h.look, func(err error) {
		logger.Warn("changes of segments cannot be seen by webhooks", "error", err)
	})
}

// look looks for new rows, while somebody waits for them.
func (h *heads) look(ctx context.Context) error {
	if !h.wanted.Load() {
		return nil
	}
	for shard := range h.seqs {
		head, err := h.reader.Head(ctx, shard)
		if err != nil {
			return err
		}
		h.mu.Lock()
		if head > h.seqs[shard] {
			h.seqs[shard] = head
			close(h.changed[shard])
			h.changed[shard] = make(chan struct{})
		}
		h.mu.Unlock()
	}
	return nil
}
