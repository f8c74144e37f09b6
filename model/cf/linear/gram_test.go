package linear

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/attune-shop/attune/model/cf/cftest"
	"github.com/attune-shop/attune/model/cf/feedback"
)

// gramOf counts the users of a dataset for whom keep is true.
func gramOf(d *feedback.Dataset, near float64, keep func(u int32) bool) *Gram {
	g := NewGram(d.Items(), near)
	for u := range int32(d.Users()) {
		if keep(u) {
			g.AddUser(entriesOf(d, u))
		}
	}
	return g
}

func entriesOf(d *feedback.Dataset, u int32) (items []int32, values []float32, places []int32) {
	from, to := d.ByUser().Span(u)
	return d.ByUser().Columns[from:to], d.ByUser().Values[from:to], d.TimePlaces()[from:to]
}

func everybody(int32) bool { return true }

func TestGramIsTheProduct(t *testing.T) {
	d := cftest.Shop(8, 60, 90, 900)
	g := gramOf(d, 0, everybody)
	x := cftest.MatrixOf(d)
	for i := range d.Items() {
		for j := range i + 1 {
			var want float64
			for u := range d.Users() {
				want += x.At(u, i) * x.At(u, j)
			}
			if got := float64(gramValue(g.row(int32(i))[j])); !cftest.Near(got, want, 1e-4) {
				t.Fatalf("(%d, %d) is %g, want %g", i, j, got, want)
			}
		}
	}
}

// TestWhoeverIsRemovedLeavesNoTrace: users come and go in any order, and the Gram, and the
// model fitted from it, are those of the users who are left.
func TestWhoeverIsRemovedLeavesNoTrace(t *testing.T) {
	d := cftest.Shop(9, 40, 50, 700)
	rapid.Check(t, func(t *rapid.T) {
		gone := map[int32]bool{}
		for _, u := range rapid.SliceOfNDistinct(rapid.Int32Range(0, int32(d.Users())-1), 1, 10, rapid.ID).Draw(t, "gone") {
			gone[u] = true
		}
		near := rapid.SampledFrom([]float64{0, .5, 1}).Draw(t, "near")
		g := gramOf(d, near, everybody)
		for u := range gone {
			g.RemoveUser(entriesOf(d, u))
		}
		want := gramOf(d, near, func(u int32) bool { return !gone[u] })
		if !slices.Equal(g.sums, want.sums) {
			t.Fatal("the Gram is another")
		}
		sameRows(t, g, d.Keep(func(x feedback.Entry) bool { return !gone[x.User] }), EASE{Lambda: 7, Near: near, Width: 20})
	})
}

// sameRows holds a fit from a Gram to be, byte for byte, the fit from a dataset.
func sameRows(t *rapid.T, g *Gram, d *feedback.Dataset, settings EASE) {
	t.Helper()
	refit, err := settings.FitGram(t.Context(), g, 2, nil)
	if err != nil {
		t.Fatal(err)
	}
	fit, err := settings.Fit(t.Context(), d, 2, nil)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(refit.Ends, fit.Ends) || !slices.Equal(refit.Columns, fit.Columns) || !slices.Equal(refit.Values, fit.Values) {
		t.Fatal("the models differ")
	}
}
