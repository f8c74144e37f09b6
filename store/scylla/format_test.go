package scylla

import (
	"bytes"
	"cmp"
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/store"
)

// FuzzLink: what is stored of two links of one anonymous visitor is in their opposite order,
// so that of both the least stays.
func FuzzLink(f *testing.F) {
	f.Add(int64(5), "e1", "ann", int64(5), "e1", "bob")
	f.Add(int64(-5), "e", "ann", int64(1e18), "e1", "a")
	f.Fuzz(func(t *testing.T, at1 int64, id1, user1 string, at2 int64, id2, user2 string) {
		a := event.Link{AnonymousID: "cookie", UserID: user1, EventID: id1, OccurredAt: time.Unix(0, at1).UTC()}
		b := event.Link{AnonymousID: "cookie", UserID: user2, EventID: id2, OccurredAt: time.Unix(0, at2).UTC()}
		for _, text := range []string{id1, user1, id2, user2} {
			if bytes.IndexByte([]byte(text), 0) >= 0 {
				t.Skip("ids have no control characters")
			}
		}
		again, err := decodeLink("cookie", encodeLink(a))
		if err != nil || again != a {
			t.Errorf("%+v became %+v, %v", a, again, err)
		}
		stored := cmp.Compare(linkTimestamp(b), linkTimestamp(a))
		if stored == 0 {
			stored = bytes.Compare(encodeLink(b), encodeLink(a))
		}
		if want := a.Compare(b); stored != want {
			t.Errorf("%+v and %+v are %d, stored %d", a, b, want, stored)
		}
	})
}

// known fails the test for an error that is not of the kinds a reader of stored bytes has.
func known(t *testing.T, err error) {
	t.Helper()
	if err != nil && !errors.Is(err, event.ErrCorrupt) && !errors.Is(err, event.ErrNewerVersion) {
		t.Errorf("error is %v", err)
	}
}

func FuzzStoredLink(f *testing.F) {
	f.Add([]byte(nil))
	f.Add(encodeLink(event.Link{UserID: "ann", EventID: "e1", OccurredAt: time.Unix(1, 0)}))
	f.Fuzz(func(t *testing.T, data []byte) {
		_, err := decodeLink("cookie", data)
		known(t, err)
	})
}

func FuzzChange(f *testing.F) {
	f.Add([]byte(nil))
	f.Add(encodeChange(store.ItemChange{Put: []event.Item{{ID: "lamp", Title: "Lamp"}}, Delete: []string{"sofa"}}))
	f.Fuzz(func(t *testing.T, row []byte) {
		change, err := decodeChange(row)
		known(t, err)
		if err != nil {
			return
		}
		again, err := decodeChange(encodeChange(change))
		if err != nil || !reflect.DeepEqual(again, change) {
			t.Errorf("%+v became %+v, %v", change, again, err)
		}
	})
}

func FuzzLetter(f *testing.F) {
	f.Add([]byte(`{"ID":"1","Data":"eA==","Parts":2}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		_, err := decodeLetter(data)
		known(t, err)
	})
}
