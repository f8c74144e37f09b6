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
	if err != nil && !errors.Is(err, event.ErrCorrupt) && !errors.Is(err, event.ErrNewerVersion) && !errors.Is(err, feature.ErrOutdated) {
		t.Errorf("error is %v", err)
	}
}

func FuzzRow(f *testing.F) {
	seed, _, _ := encodeRow(nil, 7, []entry{{event: &purchase}, {event: &purchase}})
	f.Add([]byte(nil))
	f.Add(seed)
	f.Add(encodeFence("epoch"))
	f.Fuzz(func(t *testing.T, row []byte) {
		c, err := decodeRow(row)
		known(t, err)
		if err != nil {
			return
		}
		if c.fence {
			again, err := decodeRow(encodeFence(c.epoch))
			if err != nil || !again.fence || again.epoch != c.epoch {
				t.Errorf("the fence of %q written again is %+v, %v", c.epoch, again, err)
			}
			return
		}
		entries := make([]entry, len(c.events))
		for i := range c.events {
			again, err := event.Decode(c.data[i])
			if err != nil || again.ID != c.events[i].ID {
				t.Errorf("the binary form of event %d is of %q, not %q: %v", i, again.ID, c.events[i].ID, err)
			}
			entries[i].event = &c.events[i]
		}
		written, n, _ := encodeRow(nil, 0, entries)
		again, err := decodeRow(written)
		if err != nil || len(again.events) != n || n < len(c.events) && len(written) < maxRow/2 {
			t.Errorf("written again: %d events of %d, %v", len(again.events), len(c.events), err)
		}
	})
}

func FuzzFeatures(f *testing.F) {
	written := features{through: 300, state: new(feature.State)}
	written.fold(&purchase, 50)
	f.Add([]byte(nil))
	f.Add(written.append(nil))
	f.Fuzz(func(t *testing.T, value []byte) {
		read, err := decodeFeatures(value)
		known(t, err)
		if err != nil {
			return
		}
		again, err := decodeFeatures(read.append(nil))
		if err != nil || again.through != read.through || again.linked != read.linked || again.bytes != read.bytes ||
			!bytes.Equal(again.state.Append(nil), read.state.Append(nil)) {
			t.Errorf("%+v became %+v, %v", read, again, err)
		}
	})
}

// TestFeaturesOfOlderVersions: those that do not say are taken for linked.
func TestFeaturesOfOlderVersions(t *testing.T) {
	written := features{through: 300, state: new(feature.State)}
	written.fold(&purchase, 50)
	older := written.state.Append([]byte{0xac, 0x02})
	read, err := decodeFeatures(older)
	if err != nil || read.through != 300 || !read.linked || read.state.Events() != 1 {
		t.Errorf("%+v, %v", read, err)
	}
}
