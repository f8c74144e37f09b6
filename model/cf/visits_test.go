package cf

import (
	"cmp"
	"reflect"
	"slices"
	"testing"

	"github.com/attune-shop/attune/model/cf/cftest"
	"github.com/attune-shop/attune/model/cf/feedback"
)

func TestVisitsAreCutAtPauses(t *testing.T) {
	for name, d := range cftest.Trips() {
		type visit struct {
			start uint32
			user  int32
			items []int32
		}
		var want []visit
		for u := range int32(d.Users()) {
			var mine []feedback.Entry
			for _, x := range d.Entries() {
				if x.User == u {
					mine = append(mine, x)
				}
			}
			slices.SortFunc(mine, func(a, b feedback.Entry) int { return cmp.Or(cmp.Compare(a.At, b.At), cmp.Compare(a.Item, b.Item)) })
			for k, x := range mine {
				if k == 0 || x.At > mine[k-1].At+feedback.VisitGap {
					want = append(want, visit{start: x.At, user: u})
				}
				last := &want[len(want)-1]
				last.items = append(last.items, x.Item)
				last.items = last.items[max(0, len(last.items)-maxVisit):]
			}
		}
		slices.SortFunc(want, func(a, b visit) int { return cmp.Or(cmp.Compare(a.start, b.start), cmp.Compare(a.user, b.user)) })
		got := visitsOf(d)
		if got.len() != len(want) || len(got.starts) != len(want) {
			t.Fatalf("%s: %d visits, want %d", name, got.len(), len(want))
		}
		for k := range want {
			if !slices.Equal(got.visit(k), want[k].items) || got.starts[k] != want[k].start {
				t.Fatalf("%s: visit %d is %v from %d on, want %+v", name, k, got.visit(k), got.starts[k], want[k])
			}
		}
		for clicks := range int64(min(len(got.items)+2, 300)) {
			part := got.newest(clicks)
			first := got.len() - part.len()
			if int64(len(part.items)) > clicks || first > 0 && int64(len(part.items)+len(got.visit(first-1))) <= clicks {
				t.Fatalf("%s: the newest %d are %d", name, clicks, len(part.items))
			}
			for k := range part.len() {
				if !slices.Equal(part.visit(k), got.visit(first+k)) || part.starts[k] != got.starts[first+k] {
					t.Fatalf("%s: the newest %d are other ones", name, clicks)
				}
			}
		}
	}
}

func TestAPauseOfHalfAnHourEndsNoVisit(t *testing.T) {
	b := feedback.NewBuilder()
	b.Add("u", "a", 1, 0)
	b.Add("u", "b", 1, feedback.VisitGap)
	b.Add("u", "c", 1, 2*feedback.VisitGap+1)
	got := visitsOf(b.Build())
	if !reflect.DeepEqual(got, visits{items: []int32{0, 1, 2}, ends: []int64{2, 3}, starts: []uint32{0, 2*feedback.VisitGap + 1}}) {
		t.Fatalf("%+v", got)
	}
}
