package store_test

import (
	"bytes"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/store"
)

var anySegments = rapid.Custom(func(t *rapid.T) []uint32 {
	segments := rapid.SliceOfDistinct(rapid.OneOf(rapid.Uint32Max(20), rapid.Uint32()), rapid.ID).Draw(t, "segments")
	slices.Sort(segments)
	return slices.Clip(segments)
})

func TestMembersComeBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := store.Member{UserID: "ann", Segments: anySegments.Draw(t, "segments")}
		if len(m.Segments) == 0 {
			m.Segments = nil
		}
		if rapid.Bool().Draw(t, "has a timer") {
			m.Due = time.UnixMilli(rapid.Int64Range(-1<<50, 1<<50).Draw(t, "due")).UTC()
		}
		got, err := store.DecodeMember("ann", m.Append(nil))
		if diff := cmp.Diff(m, got); err != nil || diff != "" {
			t.Fatalf("%v, (-want +got):\n%s", err, diff)
		}
	})
}

// TestMoves: who takes the moves finds what is now from what was.
func TestMoves(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		change := store.MemberChange{Was: anySegments.Draw(t, "was"), Now: store.Member{Segments: anySegments.Draw(t, "now")}}
		entered, left := change.Moves()
		in := func(list []uint32) func(uint32) bool { return func(n uint32) bool { return slices.Contains(list, n) } }
		if slices.ContainsFunc(entered, in(change.Was)) || slices.ContainsFunc(left, in(change.Now.Segments)) {
			t.Fatalf("entered %v, left %v", entered, left)
		}
		now := append(slices.DeleteFunc(slices.Clone(change.Was), in(left)), entered...)
		if slices.Sort(now); !slices.Equal(now, change.Now.Segments) {
			t.Fatalf("entered %v, left %v: now in %v", entered, left, now)
		}
	})
}

func FuzzMember(f *testing.F) {
	f.Add([]byte(nil))
	m := store.Member{Segments: []uint32{0, 1, 200, 1<<32 - 1}, Due: time.UnixMilli(-5)}
	f.Add(m.Append(nil))
	f.Add([]byte{1, 0, 0, 0})
	f.Add([]byte{99, 0})
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := store.DecodeMember("ann", data)
		if err != nil {
			if !errors.Is(err, event.ErrCorrupt) && !errors.Is(err, event.ErrNewerVersion) {
				t.Errorf("error is %v", err)
			}
			return
		}
		if err := store.CheckMembers(1, []store.MemberChange{{Was: m.Segments, Now: m}}); err != nil {
			t.Error(err)
		}
		// A number may have more bytes than it needs; in its shortest form it is the same.
		again := m.Append(nil)
		if n, err := store.DecodeMember("ann", again); err != nil || len(again) > len(data) || !bytes.Equal(n.Append(nil), again) {
			t.Errorf("% x became % x, %v", data, again, err)
		}
	})
}
