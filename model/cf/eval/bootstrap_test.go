package eval

import (
	"math"
	"testing"

	"github.com/attune-shop/attune/model/cf/cftest"
)

func TestBootstrap(t *testing.T) {
	var a, b, same []float64
	for i := range 400 {
		a, b, same = append(a, float64(i%2)), append(b, float64(i%4/3)), append(same, .25)
	}
	x := Bootstrap(a, 1)
	// The mean .5 has a standard error of .5 / sqrt(400) = .025.
	if !cftest.Near(x.Low, .5-1.96*.025, .01) || !cftest.Near(x.High, .5+1.96*.025, .01) || x != Bootstrap(a, 1) || x == Bootstrap(a, 2) {
		t.Errorf("%v", x)
	}
	if x := Bootstrap(same, 1); x.Low != .25 || x.High != .25 {
		t.Errorf("of equal values: %v", x)
	}
	if x := BootstrapDifference(a, b, 1); x.Low <= .15 || x.High >= .35 {
		t.Errorf("difference of .25: %v", x)
	}
	if Bootstrap(nil, 1) != (Interval{}) {
		t.Error("an interval of nothing")
	}
}

func TestDifference(t *testing.T) {
	middle, doubt := Difference([]float64{3, 5, 4, 8}, []float64{2, 3, 1, 4}) // 1, 2, 3 and 4
	if middle != 2.5 || !cftest.Near(doubt, math.Sqrt(5./3/4), 1e-12) {
		t.Errorf("%g with an error of %g", middle, doubt)
	}
	for _, few := range [][]float64{nil, {7}} {
		if _, doubt := Difference(few, few); doubt != 0 {
			t.Errorf("an error of %g of %v", doubt, few)
		}
	}
}
