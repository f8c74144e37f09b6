package webhook

import (
	"cmp"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/store"
)

const (
	// hooksRegister is the name of the register that holds all webhooks.
	hooksRegister = "webhooks"
	// maxHooks bounds the webhooks of a shop: each has work of its own for every shard.
	maxHooks = 20
)

// secret is a signing secret, which no log shows.
type secret string

// String hides the secret from whoever prints it.
func (secret) String() string { return "(secret)" }

// GoString hides it as well.
func (s secret) GoString() string { return s.String() }

// LogValue hides it from logs.
func (s secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// hook is one webhook as it is stored.
type hook struct {
	ID         string   `json:"id"`
	URL        string   `json:"url"`
	SegmentIDs []string `json:"segment_ids,omitempty"`
	// Number stands for the webhook in the names of its registers, and is never used twice.
	Number uint32 `json:"number"`
	// Nonce makes ids of deliveries that no other Attune makes.
	Nonce string `json:"nonce"`
	// Revision counts the lists of segments that the webhook has had: each makes ids of its own.
	Revision uint32 `json:"revision"`
	// Changes counts all changes, so that who delivers sees that there was one.
	Changes      uint32 `json:"changes"`
	Paused       bool   `json:"paused,omitempty"`
	PausedReason string `json:"paused_reason,omitempty"`
	Secret       secret `json:"secret"`
	// OldSecret signs, too, until OldUntil.
	OldSecret secret    `json:"old_secret,omitempty"`
	OldUntil  time.Time `json:"old_until,omitzero"`
	CreatedAt time.Time `json:"created_at"`
	UpdatedAt time.Time `json:"updated_at"`
	// Start is, for each shard, the last row of before the webhook was.
	Start []store.Seq `json:"start"`
}

// secrets returns what a delivery is signed with at a time.
func (h *hook) secrets(now time.Time) []secret {
	if h.OldSecret != "" && now.Before(h.OldUntil) {
		return []secret{h.Secret, h.OldSecret}
	}
	return []secret{h.Secret}
}

// hooks are all webhooks, in the order of ids.
type hooks struct {
	Version    int    `json:"version"`
	Hooks      []hook `json:"hooks"`
	LastNumber uint32 `json:"last_number"`
	// Dropped are the numbers of deleted webhooks of which something may be stored yet.
	Dropped []uint32 `json:"dropped,omitempty"`
}

// Form implements register.Formed.
func (h *hooks) Form() *int { return &h.Version }

// find returns the place of a webhook, or event.ErrNotFound.
func (h *hooks) find(id string) (int, error) {
	at, found := slices.BinarySearchFunc(h.Hooks, id, func(one hook, id string) int { return cmp.Compare(one.ID, id) })
	if !found {
		return at, fmt.Errorf("webhook %q: %w", id, event.ErrNotFound)
	}
	return at, nil
}

// add adds a webhook, to which it gives a number.
func (h *hooks) add(one hook) error {
	at, err := h.find(one.ID)
	if err == nil {
		return fmt.Errorf("webhook %q: %w", one.ID, event.ErrExists)
	}
	if len(h.Hooks) >= maxHooks {
		return event.Invalid("webhook_id", "a shop has at most %d webhooks", maxHooks)
	}
	h.LastNumber++
	one.Number, one.Revision = h.LastNumber, 1
	h.Hooks = slices.Insert(h.Hooks, at, one)
	return nil
}
