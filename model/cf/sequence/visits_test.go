package sequence

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
				last.items = last.items[max(0, len(last.items)-MaxVisit):]
			}
		}
		slices.SortFunc(want, func(a, b visit) int { return cmp.Or(cmp.Compare(a.start, b.start), cmp.Compare(a.user, b.user)) })
		got := visitsOf(d)
		if got.Len() != len(want) || len(got.Starts) != len(want) {
			t.Fatalf("%s: %d visits, want %d", name, got.Len(), len(want))
		}
		for k := range want {
			if !slices.Equal(got.visit(k), want[k].items) || got.Starts[k] != want[k].start {
				t.Fatalf("%s: visit %d is %v from %d on, want %+v", name, k, got.visit(k), got.Starts[k], want[k])
			}
		}
		for clicks := range int64(min(len(got.Items)+2, 300)) {
			part := got.newest(clicks)
			first := got.Len() - part.Len()
			if int64(len(part.Items)) > clicks || first > 0 && int64(len(part.Items)+len(got.visit(first-1))) <= clicks {
				t.Fatalf("%s: the newest %d are %d", name, clicks, len(part.Items))
			}
			for k := range part.Len() {
				if !slices.Equal(part.visit(k), got.visit(first+k)) || part.Starts[k] != got.Starts[first+k] {
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
	if !reflect.DeepEqual(got, Visits{Items: []int32{0, 1, 2}, Ends: []int64{2, 3}, Starts: []uint32{0, 2*feedback.VisitGap + 1}}) {
		t.Fatalf("%+v", got)
	}
}
