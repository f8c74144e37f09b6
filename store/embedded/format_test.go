package embedded

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"pgregory.net/rapid"

	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/store"
)

var anyID = rapid.StringMatching(`[a-c -~日é]{1,6}`)

func TestEventKeysSortAndComeApart(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		draw := func(name string) store.Record {
			return store.Record{
				Visitor: event.Visitor(anyID.Draw(t, name+" visitor")), EventID: anyID.Draw(t, name+" id"),
				Seq: store.Seq(rapid.Uint64().Draw(t, name+" seq")),
			}
		}
		a, b := draw("a"), draw("b")
		shard := rapid.IntRange(0, 65535).Draw(t, "shard")
		keyOf := func(r store.Record) []byte { return appendEventKey(nil, shard, r.Visitor, r.EventID, r.Seq) }
		want := cmp.Or(cmp.Compare(a.Visitor, b.Visitor), cmp.Compare(a.EventID, b.EventID), cmp.Compare(a.Seq, b.Seq))
		if got := bytes.Compare(keyOf(a), keyOf(b)); got != want {
			t.Fatalf("keys compare %d, records %d", got, want)
		}
		visitor, id, seq, err := cutEventKey(keyOf(a))
		if err != nil || string(visitor) != string(a.Visitor) || string(id) != a.EventID || seq != a.Seq {
			t.Fatalf("%+v came apart as %q %q %d, %v", a, visitor, id, seq, err)
		}
	})
}

// Pebble needs prefixes to sort as keys do and every part that Split cuts off to be the rest.
func TestSplitKeepsTheOrderOfKeys(t *testing.T) {
	key := rapid.SliceOfN(rapid.SampledFrom([]byte{'e', 'f', 0, 1, 255}), 0, 12)
	rapid.Check(t, func(t *rapid.T) {
		a, b := key.Draw(t, "a"), key.Draw(t, "b")
		if bytes.Compare(a, b) > 0 {
			a, b = b, a
		}
		if bytes.Compare(a[:splitKey(a)], b[:splitKey(b)]) > 0 {
			t.Fatalf("% x < % x, but their prefixes are not in that order", a, b)
		}
		if prefix := a[:splitKey(a)]; splitKey(prefix) != len(prefix) {
			t.Fatalf("% x is split again", prefix)
		}
	})
}

func TestLinkKeysSortAndComeApart(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		draw := func(name string) event.Link {
			return event.Link{
				AnonymousID: "device", UserID: anyID.Draw(t, name+" user"), EventID: anyID.Draw(t, name+" id"),
				OccurredAt: time.UnixMicro(rapid.Int64Range(-1<<50, 1<<50).Draw(t, name+" time")).UTC(),
			}
		}
		a, b := draw("a"), draw("b")
		want := cmp.Or(a.OccurredAt.Compare(b.OccurredAt), cmp.Compare(a.EventID, b.EventID), cmp.Compare(a.UserID, b.UserID))
		if got := bytes.Compare(linkKey(a), linkKey(b)); got != want {
			t.Fatalf("keys compare %d, links %d", got, want)
		}
		if got, err := decodeLink(linkKey(a)); err != nil || got != a {
			t.Fatalf("%+v came apart as %+v, %v", a, got, err)
		}
	})
}

func TestTimerKeysSortAndComeApart(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		draw := func(name string) store.Timer {
			return store.Timer{
				At:     time.UnixMilli(rapid.Int64Range(-1<<47, 1<<47).Draw(t, name+" time")).UTC(),
				UserID: anyID.Draw(t, name+" user"),
			}
		}
		a, b := draw("a"), draw("b")
		keyOf := func(timer store.Timer) []byte { return timerKey(3, timer.At, timer.UserID) }
		want := cmp.Or(a.At.Compare(b.At), cmp.Compare(a.UserID, b.UserID))
		if got := bytes.Compare(keyOf(a), keyOf(b)); got != want {
			t.Fatalf("keys compare %d, timers %d", got, want)
		}
		if got, err := decodeTimer(keyOf(a)); err != nil || got != a {
			t.Fatalf("%+v came apart as %+v, %v", a, got, err)
		}
	})
}

func TestMemberKeysSortAndComeApart(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		draw := func(name string) (uint32, store.Place) {
			return rapid.Uint32().Draw(t, name+" segment"),
				store.Place{Shard: rapid.IntRange(0, 65535).Draw(t, name+" shard"), UserID: anyID.Draw(t, name+" user")}
		}
		s1, a := draw("a")
		s2, b := draw("b")
		keyOf := func(segment uint32, p store.Place) []byte {
			return append(segmentShardKey('b', segment, p.Shard), p.UserID...)
		}
		want := cmp.Or(cmp.Compare(s1, s2), cmp.Compare(a.Shard, b.Shard), cmp.Compare(a.UserID, b.UserID))
		if got := bytes.Compare(keyOf(s1, a), keyOf(s2, b)); got != want {
			t.Fatalf("keys compare %d, places %d", got, want)
		}
		if got, err := cutMemberKey(keyOf(s1, a)); err != nil || got != a {
			t.Fatalf("%+v came apart as %+v, %v", a, got, err)
		}
	})
}

// known fails where an error is none of those that a decoder may return.
func known(t *testing.T, err error) {
	t.Helper()
	if err != nil && !errors.Is(err, event.ErrCorrupt) && !errors.Is(err, event.ErrNewerVersion) {
		t.Errorf("error is %v", err)
	}
}

func FuzzFormat(f *testing.F) {
	f.Add([]byte(nil))
	f.Add(encodeFormat(16))
	f.Fuzz(func(t *testing.T, data []byte) {
		shards, err := decodeFormat(data)
		known(t, err)
		if err == nil && !bytes.Equal(encodeFormat(shards), data) {
			t.Errorf("% x means %d shards", data, shards)
		}
	})
}

func FuzzEventKey(f *testing.F) {
	f.Add([]byte("e"))
	f.Add(appendEventKey(nil, 3, "u:ann", "id", 9))
	f.Fuzz(func(t *testing.T, key []byte) {
		visitor, id, seq, err := cutEventKey(key)
		known(t, err)
		if err == nil && key[0] == 'e' && len(visitor)+len(id)+13 == len(key) {
			if again := appendEventKey(nil, int(key[1])<<8|int(key[2]), event.Visitor(visitor), string(id), seq); !bytes.Equal(again, key) {
				t.Errorf("% x became % x", key, again)
			}
		}
	})
}

func FuzzLinkKey(f *testing.F) {
	f.Add([]byte("o"))
	f.Add(linkKey(event.Link{AnonymousID: "a", UserID: "u", EventID: "e", OccurredAt: time.UnixMicro(-5)}))
	f.Fuzz(func(t *testing.T, key []byte) {
		link, err := decodeLink(key)
		known(t, err)
		if err == nil && !bytes.Equal(linkKey(link)[1:], key[1:]) {
			t.Errorf("% x became % x", key, linkKey(link))
		}
	})
}

func FuzzRecords(f *testing.F) {
	letter, err := json.Marshal(store.DeadLetter{ID: "1", Data: []byte{0xff}, Violations: []event.Violation{{Field: "type"}}})
	if err != nil {
		f.Fatal(err)
	}
	entry, err := json.Marshal(modelEntry{Model: store.Model{Version: "1"}, File: payloadName(1)})
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range [][]byte{letter, entry, []byte("{"), []byte(`{"File":"../../etc/passwd"}`)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		_, err := decodeTimer(data)
		known(t, err)
		_, err = cutMemberKey(data)
		known(t, err)
		_, err = decodeLetter(data)
		known(t, err)
		entry, err := decodeModelEntry(data)
		known(t, err)
		if err == nil && vfs.Default.PathBase(entry.File) != entry.File {
			t.Errorf("a payload is called %q", entry.File)
		}
	})
}

// TestAnOlderModelIsRead: records of before settings and standard errors were kept.
func TestAnOlderModelIsRead(t *testing.T) {
	entry, err := decodeModelEntry([]byte(`{"Version":"1","Algorithm":"ease","Evaluations":[{"Algorithm":"ease","Metrics":{"ndcg@10":0.5},"Users":7,"Fit":5}],"Choice":"why","File":"1.model"}`))
	if err != nil {
		t.Fatal(err)
	}
	if e := entry.Evaluations[0]; entry.Metric != "" || e.Metrics["ndcg@10"] != .5 || e.Errors != nil || e.Settings != nil {
		t.Errorf("%+v", entry)
	}
}
