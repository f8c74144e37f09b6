package linear

import (
	"math"
	"testing"

	"gonum.org/v1/gonum/mat"

	"github.com/attune-shop/attune/model/cf/cftest"
)

// TestEASEIsTheClosedForm compares with formulas over dense matrices.
func TestEASEIsTheClosedForm(t *testing.T) {
	d := cftest.Shop(1, 60, 90, 900)
	n := d.Items()
	for _, settings := range []EASE{
		{Lambda: 7},
		{Lambda: 7, Dropout: .25},
		{Lambda: 3, Dropout: .5, Near: .6, Debias: .3},
	} {
		got, err := settings.Fit(t.Context(), d, 2, nil)
		if err != nil {
			t.Fatal(err)
		}
		gram := mat.NewDense(n, n, nil)
		for u := range int32(d.Users()) {
			items, values, places := entriesOf(d, u)
			for k, i := range items {
				for q, j := range items {
					apart := math.Abs(float64(places[k] - places[q]))
					close := 1 - settings.Near + settings.Near*math.Exp(-apart/nearReach)
					gram.Set(int(i), int(j), gram.At(int(i), int(j))+float64(values[k]*values[q])*close)
				}
			}
		}
		squares := make([]float64, n)
		var mean float64
		for i := range squares {
			squares[i] = gram.At(i, i)
			mean += squares[i] / float64(n)
			gram.Set(i, i, squares[i]+settings.Lambda+settings.Dropout/(1-settings.Dropout)*squares[i])
		}
		var p mat.Dense
		if err := p.Inverse(gram); err != nil {
			t.Fatal(err)
		}
		for i := range n {
			for j := range n {
				want := -p.At(i, j) / p.At(j, j) * math.Pow(squares[i]/mean, -settings.Debias)
				if i == j {
					want = 0
				}
				if !cftest.Near(float64(got.At(int32(i), int32(j))), want, 1e-4) {
					t.Fatalf("%v: (%d, %d) is %g, want %g", settings, i, j, got.At(int32(i), int32(j)), want)
				}
			}
		}
	}
}

func TestEASEKeepsTheStrongest(t *testing.T) {
	d := cftest.Shop(1, 60, 90, 900)
	all, err := EASE{Lambda: 7, Width: 1000}.Fit(t.Context(), d, 2, nil)
	if err != nil {
		t.Fatal(err)
	}
	few, err := EASE{Lambda: 7, Width: 5}.Fit(t.Context(), d, 2, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := range int32(d.Items()) {
		if columns, _ := few.Row(i); len(columns) > 5 {
			t.Fatalf("row %d has %d items", i, len(columns))
		}
	}
	cftest.KeepsTheStrongest(t, &few, &all)
}
