package cf

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// gramOf counts the users of a dataset for whom keep is true.
func gramOf(d *Dataset, keep func(u int32) bool) *Gram {
	g := NewGram(d.Items())
	for u := range int32(d.Users()) {
		if keep(u) {
			g.AddUser(d.byUser.row(u))
		}
	}
	return g
}

func everybody(int32) bool { return true }

func TestGramIsTheProduct(t *testing.T) {
	d := shop(8, 60, 90, 900)
	g := gramOf(d, everybody)
	x := matrixOf(d)
	for i := range d.Items() {
		for j := range i + 1 {
			var want float64
			for u := range d.Users() {
				want += x.At(u, i) * x.At(u, j)
			}
			if got := float64(gramValue(g.row(int32(i))[j])); !near(got, want, 1e-4) {
				t.Fatalf("(%d, %d) is %g, want %g", i, j, got, want)
			}
		}
	}
}

// TestWhoeverIsRemovedLeavesNoTrace: users come and go in any order, and the Gram, and the
// model fitted from it, are those of the users who are left.
func TestWhoeverIsRemovedLeavesNoTrace(t *testing.T) {
	d := shop(9, 40, 50, 700)
	o := Options{RowItems: 20}.filled()
	rapid.Check(t, func(t *rapid.T) {
		gone := map[int32]bool{}
		for _, u := range rapid.SliceOfNDistinct(rapid.Int32Range(0, int32(d.Users())-1), 1, 10, rapid.ID).Draw(t, "gone") {
			gone[u] = true
		}
		g := gramOf(d, everybody)
		for u := range gone {
			g.RemoveUser(d.byUser.row(u))
		}
		want := gramOf(d, func(u int32) bool { return !gone[u] })
		if !slices.Equal(g.sums, want.sums) {
			t.Fatal("the Gram is another")
		}
		without := &Dataset{userIDs: d.userIDs, itemIDs: d.itemIDs}
		var log []interaction
		for _, x := range d.log {
			if !gone[x.user] {
				log = append(log, x)
			}
		}
		without.fill(log, 1<<32)
		sameRows(t, g, without, o)
	})
}

// sameRows holds a fit from a Gram to be, byte for byte, the fit from a dataset.
func sameRows(t *rapid.T, g *Gram, d *Dataset, o Options) {
	t.Helper()
	refit, err := easeAgain(t.Context(), g, evenly(7), o, nil)
	if err != nil {
		t.Fatal(err)
	}
	fit, err := ease(t.Context(), d, evenly(7), o, nil)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(refit.ends, fit.ends) || !slices.Equal(refit.columns, fit.columns) || !slices.Equal(refit.values, fit.values) {
		t.Fatal("the models differ")
	}
}
