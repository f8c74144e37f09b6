package dense

import "gonum.org/v1/gonum/blas/blas32"

// The loops in Go, for CPUs without vectors that are known here.

// portableTile is the tile of a matrix product whose sums fit common registers.
var portableTile = tileShape{rows: 4, columns: 4, add: tilePortable}

func dotPortable(x, y []float32) float32 {
	var sums [4]float32
	y = y[:len(x)]
	k := 0
	for ; k+4 <= len(x); k += 4 {
		a, b := x[k:k+4:k+4], y[k:k+4:k+4]
		sums[0] += a[0] * b[0]
		sums[1] += a[1] * b[1]
		sums[2] += a[2] * b[2]
		sums[3] += a[3] * b[3]
	}
	sum := sums[0] + sums[1] + (sums[2] + sums[3])
	for ; k < len(x); k++ {
		sum += x[k] * y[k]
	}
	return sum
}

func axpyPortable(a float32, x, y []float32) {
	y = y[:len(x)]
	for k, v := range x {
		y[k] += a * v
	}
}

func dotsPortable(y blas32.General, rows []int32, x, into []float32) {
	for k, r := range rows {
		into[k] = dotPortable(x, y.Data[int(r)*y.Stride:])
	}
}

func addRowsPortable(y blas32.General, rows []int32, c, into []float32) {
	for k, r := range rows {
		axpyPortable(c[k], y.Data[int(r)*y.Stride:int(r)*y.Stride+len(into)], into)
	}
}

func addAllPortable(a blas32.General, x, into []float32) {
	for k, v := range x {
		axpyPortable(v, a.Data[k*a.Stride:k*a.Stride+len(into)], into)
	}
}

func tilePortable(a, b, c []float32, stride int) {
	var sums [4][4]float32
	for len(a) >= 4 && len(b) >= 4 {
		w, x, y, z := b[0], b[1], b[2], b[3]
		for i := range sums {
			sums[i][0] += a[i] * w
			sums[i][1] += a[i] * x
			sums[i][2] += a[i] * y
			sums[i][3] += a[i] * z
		}
		a, b = a[4:], b[4:]
	}
	for i := range sums {
		row := c[i*stride : i*stride+4]
		for j := range row {
			row[j] += sums[i][j]
		}
	}
}

func spinPortable(n int) int {
	var sums [8]float32
	for range n {
		for i := range sums {
			sums[i] += sums[i] * .5
		}
	}
	return len(sums) * n
}
