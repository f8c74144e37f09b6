package linear

import (
	"math"
	"testing"

	"gonum.org/v1/gonum/mat"

	"github.com/attune-shop/attune/model/cf/cftest"
)

func TestTogetherIsDampedLift(t *testing.T) {
	d := cftest.Shop(3, 50, 30, 800)
	got, err := Together(t.Context(), d, 1000, 2, nil)
	if err != nil {
		t.Fatal(err)
	}
	n := d.Items()
	shared, weighted := mat.NewDense(n, n, nil), mat.NewDense(n, n, nil)
	for _, basket := range d.Baskets() {
		for _, i := range basket {
			for _, j := range basket {
				shared.Set(int(i), int(j), shared.At(int(i), int(j))+1)
				weighted.Set(int(i), int(j), weighted.At(int(i), int(j))+1/math.Sqrt(float64(len(basket)-1)))
			}
		}
	}
	for i := range n {
		for j := range n {
			var want float64
			if k := shared.At(i, j); i != j && k >= togetherSupport {
				want = weighted.At(i, j) / math.Sqrt(weighted.At(i, i)*weighted.At(j, j)) * k / (k + togetherDamp)
			}
			if !cftest.Near(float64(got.At(int32(i), int32(j))), want, 1e-5) {
				t.Fatalf("(%d, %d) is %g, want %g", i, j, got.At(int32(i), int32(j)), want)
			}
		}
	}
}
