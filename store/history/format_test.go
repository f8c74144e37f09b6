package history

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/model/feature"
)

var purchase = event.Event{
	ID: "e1", Type: event.Purchase, UserID: "ann", OccurredAt: time.UnixMicro(1),
	Lines: []event.Line{{ItemID: "lamp", Quantity: 2}},
}

// known fails the test for an error that is not of the kinds a reader of stored bytes has.
func known(t *testing.T, err error) {
	t.Helper()
	if err != nil && !errors.Is(err, event.ErrCorrupt) && !errors.Is(err, event.ErrNewerVersion) {
		t.Errorf("error is %v", err)
	}
}

func FuzzRow(f *testing.F) {
	seed, _, _ := encodeRow(nil, 7, []entry{{event: &purchase}, {event: &purchase}})
	f.Add([]byte(nil))
	f.Add(seed)
	f.Fuzz(func(t *testing.T, row []byte) {
		events, data, err := decodeRow(row)
		known(t, err)
		if err != nil {
			return
		}
		entries := make([]entry, len(events))
		for i := range events {
			again, err := event.Decode(data[i])
			if err != nil || again.ID != events[i].ID {
				t.Errorf("the binary form of event %d is of %q, not %q: %v", i, again.ID, events[i].ID, err)
			}
			entries[i].event = &events[i]
		}
		written, n, _ := encodeRow(nil, 0, entries)
		again, _, err := decodeRow(written)
		if err != nil || len(again) != n || n < len(events) && len(written) < maxRow/2 {
			t.Errorf("written again: %d events of %d, %v", len(again), len(events), err)
		}
	})
}

func FuzzValue(f *testing.F) {
	var state feature.State
	state.Fold(&purchase)
	f.Add([]byte(nil))
	f.Add(appendValue(nil, 300, &state))
	f.Fuzz(func(t *testing.T, value []byte) {
		through, state, err := decodeValue(value)
		known(t, err)
		if err != nil {
			return
		}
		again, stateAgain, err := decodeValue(appendValue(nil, through, state))
		if err != nil || again != through || !bytes.Equal(stateAgain.Append(nil), state.Append(nil)) {
			t.Errorf("row %d became %d, %v", through, again, err)
		}
	})
}
