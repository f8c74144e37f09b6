package webhook

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
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
	// changeTries bounds how often a change is tried while others change the same register, too.
	changeTries = 50
	// formVersion is the newest form of what is stored that is known here.
	formVersion = 1
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

func (h *hooks) form() *int { return &h.Version }

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

// formed is what is stored in a register as JSON.
type formed[T any] interface {
	*T
	// form is the version of the form.
	form() *int
}

// read reads a register; what was never set is empty.
func read[T any, P formed[T]](ctx context.Context, registers store.Registers, name string) (value T, version string, err error) {
	data, version, err := registers.Register(ctx, name)
	if err != nil {
		return value, "", fmt.Errorf("%s: %w", name, err)
	}
	if len(data) == 0 {
		return value, version, nil
	}
	if err := json.Unmarshal(data, &value); err != nil {
		return value, "", fmt.Errorf("%s: %w: %w", name, event.ErrCorrupt, err)
	}
	if form := *P(&value).form(); form > formVersion {
		return value, "", fmt.Errorf("%s: form %d, known up to %d: %w", name, form, formVersion, event.ErrNewerVersion)
	}
	return value, version, nil
}

// write stores a register in the place of a version, and returns the new one.
func write[T any, P formed[T]](ctx context.Context, registers store.Registers, name, instead string, value P) (string, error) {
	*value.form() = formVersion
	data, err := json.Marshal(value)
	if err == nil {
		instead, err = registers.SetRegister(ctx, name, instead, data)
	}
	if err != nil {
		return "", fmt.Errorf("%s: %w", name, err)
	}
	return instead, nil
}

// change changes a register as one step, durably. do may run several times, each time on what is
// there then, and its error ends the change.
func change[T any, P formed[T]](ctx context.Context, registers store.Registers, name string, do func(P) error) (T, error) {
	for range changeTries {
		value, version, err := read[T, P](ctx, registers, name)
		if err == nil {
			err = do(&value)
		}
		if err != nil {
			return value, err
		}
		if _, err = write[T, P](ctx, registers, name, version, &value); !errors.Is(err, store.ErrTaken) {
			return value, err
		}
	}
	var none T
	return none, fmt.Errorf("%s: changes all the time: %w", name, event.ErrUnavailable)
}
