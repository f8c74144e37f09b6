package linear

import (
	"math"
	"testing"

	"gonum.org/v1/gonum/mat"

	"github.com/attune-shop/attune/model/cf/cftest"
)

func TestNeighboursAreCosines(t *testing.T) {
	d := cftest.Shop(2, 50, 40, 600)
	got, err := Neighbours(t.Context(), d, 1000, 2, nil)
	if err != nil {
		t.Fatal(err)
	}
	x := cftest.MatrixOf(d)
	weight := func(u int) float64 { return 1 / mat.Norm(x.RowView(u), 2) }
	norm := func(i int) float64 {
		var sum float64
		for u := range d.Users() {
			sum += x.At(u, i) * x.At(u, i) * weight(u)
		}
		return math.Sqrt(sum)
	}
	for i := range d.Items() {
		for j := range d.Items() {
			var sum float64
			for u := range d.Users() {
				sum += x.At(u, i) * x.At(u, j) * weight(u)
			}
			want := sum / (norm(i)*norm(j) + knnShrink)
			if i == j {
				want = 0
			}
			if !cftest.Near(float64(got.At(int32(i), int32(j))), want, 1e-5) {
				t.Fatalf("(%d, %d) is %g, want %g", i, j, got.At(int32(i), int32(j)), want)
			}
		}
	}
}
