package eval

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/attune-shop/attune/model/cf/cftest"
	"github.com/attune-shop/attune/model/cf/feedback"
)

// TestNothingLeaks: whatever the cut, what is held out is not in the past, and what is relevant
// is new to its user where the protocol asks for that.
func TestNothingLeaks(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := cftest.Shop(rapid.Uint64().Draw(t, "seed"), 40, 30, 400)
		p := Protocol{K: 10, Cut: Cut(rapid.IntRange(int(CutTime), int(CutNext)).Draw(t, "cut"))}
		h := Hold(d, p, Sample{Users: 4000, Clicks: 45_000})
		if h == nil {
			t.Skip("nothing held out")
		}
		if n := len(h.Past.Entries()); n == 0 || n >= len(d.Entries()) {
			t.Fatalf("%d of %d interactions are the past", n, len(d.Entries()))
		}
		var newest int64
		for _, x := range h.Past.Entries() {
			newest = max(newest, int64(x.At))
		}
		for _, c := range h.Cases {
			if c.relevant() == 0 || len(c.History) == 0 {
				t.Fatal("a case without past or without future")
			}
			for _, item := range c.Relevant {
				if users, _ := h.Past.ByItem().Row(item); len(users) == 0 {
					t.Fatal("a relevant item that no model can know")
				}
				known := slices.ContainsFunc(c.History, func(x feedback.Signal) bool { return x.Item == item })
				if known && p.Cut != CutNext {
					t.Fatal("a relevant item was known")
				}
			}
			for _, x := range c.History {
				if p.Cut == CutTime && x.At > newest {
					t.Fatal("the history knows the future")
				}
			}
		}
	})
}

// TestLastOfOneSecondIsNotByName: where times do not tell which choice was the last, names do not
// either.
func TestLastOfOneSecondIsNotByName(t *testing.T) {
	foretold := func(id func(i int) string) map[string]int {
		b, numbers := feedback.NewBuilder(), map[string]int{}
		for i := range 30 {
			numbers[id(i)] = i
		}
		random := rand.New(rand.NewPCG(4, 0))
		for u := range 40 {
			for range 3 + u%9 {
				b.Add(cftest.Name("u", u), id(random.IntN(30)*random.IntN(30)/30), 1, 77)
			}
		}
		d := b.Build()
		items := map[string]int{}
		for _, c := range Hold(d, Protocol{Cut: CutLast}, Sample{Users: 4000}).Cases {
			var key strings.Builder
			known := make([]int, 0, len(c.Hidden))
			for _, i := range c.Hidden {
				known = append(known, numbers[d.ItemIDs()[i]])
			}
			slices.Sort(known)
			fmt.Fprint(&key, known)
			items[key.String()] = numbers[d.ItemIDs()[c.Relevant[0]]]
		}
		return items
	}
	a := foretold(func(i int) string { return cftest.Name("i", i) })
	b := foretold(func(i int) string { return cftest.Name("i", 99-i) })
	if len(a) < minHeldOut || !maps.Equal(a, b) {
		t.Errorf("foretold are %v, of other names %v", a, b)
	}
}
