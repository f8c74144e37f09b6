package webhook

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/attune-shop/attune/store"
	"github.com/attune-shop/attune/store/register"
)

// maxFailed is how many failed deliveries of a webhook are kept: the oldest goes for one more.
const maxFailed = 1000

// maxErrorBytes bounds the error that is kept of each, so that all have room in one register, whatever JSON makes
// of what a receiver had said in it.
const maxErrorBytes = 100

// failedRegister is the name of the register that lists the failed deliveries of a webhook, and
// bodyRegister that of one that holds the body of one of them.
func failedRegister(number uint32) string { return fmt.Sprintf("webhook/%d/failed", number) }

func bodyRegister(number uint32, slot int) string {
	return fmt.Sprintf("webhook/%d/failed/%d", number, slot)
}

// failure is a delivery that was given up.
type failure struct {
	ID       string    `json:"id"`
	FailedAt time.Time `json:"failed_at"`
	Tries    int64     `json:"tries"`
	Error    string    `json:"error"`
	// Changes is their number.
	Changes int `json:"changes"`
	// Retry says that it is to be sent again.
	Retry bool `json:"retry,omitempty"`
	// Slot names where its body is. Slots are used again, so that there is never more than was
	// kept at once: registers cannot be deleted.
	Slot int `json:"slot"`
}

// because notes why it was not taken.
func (f *failure) because(err error) {
	text := err.Error()
	f.Error = text[:min(len(text), maxErrorBytes)]
}

// failures are the failed deliveries of a webhook, oldest first.
type failures struct {
	Version  int       `json:"version"`
	Failures []failure `json:"failures"`
}

// Form implements register.Formed.
func (f *failures) Form() *int { return &f.Version }

// find returns the place of a delivery, -1 where it is not there.
func (f *failures) find(id string) int {
	return slices.IndexFunc(f.Failures, func(one failure) bool { return one.ID == id })
}

// freeSlot returns the least slot that none uses.
func (f *failures) freeSlot() int {
	used := make([]bool, len(f.Failures)+1)
	for i := range f.Failures {
		if slot := f.Failures[i].Slot; slot < len(used) {
			used[slot] = true
		}
	}
	return slices.Index(used, false)
}

// stored is the body of a failed delivery.
type stored struct {
	Version int    `json:"version"`
	ID      string `json:"id,omitempty"`
	Body    []byte `json:"body,omitempty"`
}

// Form implements register.Formed.
func (s *stored) Form() *int { return &s.Version }

// keepFailure keeps a delivery that is given up, durably. The same once more replaces it. One call
// at a time does so, or removes one, in the process that delivers; others may mark some meanwhile.
func keepFailure(ctx context.Context, registers store.Registers, number uint32, one failure, body []byte) error {
	_, _, err := register.Change(ctx, registers, failedRegister(number), func(f *failures) error {
		if at := f.find(one.ID); at >= 0 {
			one.Slot = f.Failures[at].Slot
			f.Failures = slices.Delete(f.Failures, at, at+1)
		} else {
			if len(f.Failures) >= maxFailed {
				f.Failures = slices.Delete(f.Failures, 0, 1)
			}
			one.Slot = f.freeSlot()
		}
		// Before the list names it: a slot that is not listed is nobody's.
		if err := keepBody(ctx, registers, number, one.Slot, &stored{ID: one.ID, Body: body}); err != nil {
			return err
		}
		f.Failures = append(f.Failures, one)
		return nil
	})
	return err
}

// keepBody stores a body in a slot, in the place of whatever is there.
func keepBody(ctx context.Context, registers store.Registers, number uint32, slot int, what *stored) error {
	_, _, err := register.Change(ctx, registers, bodyRegister(number, slot), func(s *stored) error {
		*s = *what
		return nil
	})
	return err
}

// failedBody returns the body of a failed delivery, nil where it is there no more.
func failedBody(ctx context.Context, registers store.Registers, number uint32, one *failure) ([]byte, error) {
	found, _, err := register.Read[stored](ctx, registers, bodyRegister(number, one.Slot))
	if err != nil || found.ID != one.ID {
		return nil, err
	}
	return found.Body, nil
}

// dropFailure removes a failed delivery that was delivered after all.
func dropFailure(ctx context.Context, registers store.Registers, number uint32, one *failure) error {
	kept, _, err := register.Read[failures](ctx, registers, failedRegister(number))
	if err != nil || kept.find(one.ID) < 0 {
		return err // it made room for another, whose body is in the slot now
	}
	// The body first: once the list names the slot no more, it may be another's.
	if err := keepBody(ctx, registers, number, one.Slot, &stored{}); err != nil {
		return err
	}
	_, _, err = register.Change(ctx, registers, failedRegister(number), func(f *failures) error {
		if at := f.find(one.ID); at >= 0 {
			f.Failures = slices.Delete(f.Failures, at, at+1)
		}
		return nil
	})
	return err
}

// dropHook empties what is stored of a deleted webhook.
func dropHook(ctx context.Context, registers store.Registers, number uint32) error {
	kept, _, err := register.Read[failures](ctx, registers, failedRegister(number))
	if err != nil {
		return err
	}
	for i := range kept.Failures {
		if err := keepBody(ctx, registers, number, kept.Failures[i].Slot, &stored{}); err != nil {
			return err
		}
	}
	if _, _, err = register.Change(ctx, registers, failedRegister(number), func(f *failures) error { f.Failures = nil; return nil }); err != nil {
		return err
	}
	_, _, err = register.Change(ctx, registers, progressRegister(number), func(p *progress) error { *p = progress{}; return nil })
	return err
}
