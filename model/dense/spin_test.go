package dense

import "testing"

func TestSpinCounts(t *testing.T) {
	onEverySet(t, func(t *testing.T) {
		if Spin(-1) != 0 || Spin(0) != 0 || Spin(3) < 3 || Spin(6) != 2*Spin(3) {
			t.Fatal(Spin(0), Spin(3), Spin(6))
		}
	})
}
