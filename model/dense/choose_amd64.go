package dense

import (
	"golang.org/x/sys/cpu"
	"gonum.org/v1/gonum/blas/blas32"
)

// widest returns the widest set that the CPU and the operating system offer.
func widest() set {
	switch {
	case cpu.X86.HasAVX512F && cpu.X86.HasAVX2 && cpu.X86.HasFMA:
		return avx512
	case cpu.X86.HasAVX2 && cpu.X86.HasFMA:
		return avx2
	}
	return portable
}

// The loops in assembly take whole vectors; what is left over is done here, in Go.

func tile() tileShape {
	switch active {
	case avx512:
		return tileShape{rows: 12, columns: 32, add: func(a, b, c []float32, stride int) {
			if k := len(b) / 32; k > 0 {
				tileAVX512(k, &a[0], &b[0], &c[0], stride)
			}
		}}
	case avx2:
		return tileShape{rows: 6, columns: 16, add: func(a, b, c []float32, stride int) {
			if k := len(b) / 16; k > 0 {
				tileAVX2(k, &a[0], &b[0], &c[0], stride)
			}
		}}
	}
	return portableTile
}

// spin does n turns of multiplications and additions in registers and returns how many of each.
func spin(n int) int {
	switch active {
	case avx512:
		peakAVX512(n)
		return 192 * n
	case avx2:
		peakAVX2(n)
		return 96 * n
	}
	return spinPortable(n)
}

func dot(x, y []float32) float32 {
	n := len(x)
	if len(y) < n {
		panic("dense: a short vector")
	}
	whole, sum := 0, float32(0)
	switch {
	case active == avx512 && n >= 16:
		whole = n &^ 15
		sum = dotAVX512(whole, &x[0], &y[0])
	case active >= avx2 && n >= 8:
		whole = n &^ 7
		sum = dotAVX2(whole, &x[0], &y[0])
	case active == portable:
		return dotPortable(x, y)
	}
	for k := whole; k < n; k++ {
		sum += x[k] * y[k]
	}
	return sum
}

func axpy(a float32, x, y []float32) {
	n := len(x)
	if len(y) < n {
		panic("dense: a short vector")
	}
	whole := 0
	switch {
	case active == avx512 && n >= 16:
		whole = n &^ 15
		axpyAVX512(whole, a, &x[0], &y[0])
	case active >= avx2 && n >= 8:
		whole = n &^ 7
		axpyAVX2(whole, a, &x[0], &y[0])
	}
	for k := whole; k < n; k++ {
		y[k] += a * x[k]
	}
}

// split returns how many of n columns are whole vectors.
func split(n int) int {
	switch active {
	case avx512:
		return n &^ 15
	case avx2:
		return n &^ 7
	}
	return 0
}

func dots(y blas32.General, rows []int32, x, into []float32) {
	whole, fours := split(len(x)), len(rows)&^3
	if active == portable {
		dotsPortable(y, rows, x, into)
		return
	}
	switch {
	case whole == 0 || fours == 0:
		fours = 0
	case active == avx512:
		dotsAVX512(fours, &rows[0], &y.Data[0], y.Stride, &x[0], whole, &into[0])
	default:
		dotsAVX2(fours, &rows[0], &y.Data[0], y.Stride, &x[0], whole, &into[0])
	}
	if whole < len(x) {
		for k, r := range rows[:fours] {
			for j := whole; j < len(x); j++ {
				into[k] += y.Data[int(r)*y.Stride+j] * x[j]
			}
		}
	}
	for k := fours; k < len(rows); k++ {
		r := int(rows[k])
		into[k] = dot(x, y.Data[r*y.Stride:r*y.Stride+len(x)])
	}
}

func addRows(y blas32.General, rows []int32, c, into []float32) {
	whole := split(len(into))
	switch {
	case whole == 0 || len(rows) == 0:
		whole = 0
	case active == avx512:
		sumRowsAVX512(len(rows), &rows[0], &y.Data[0], y.Stride, &c[0], &into[0], whole)
	default:
		sumRowsAVX2(len(rows), &rows[0], &y.Data[0], y.Stride, &c[0], &into[0], whole)
	}
	if whole < len(into) {
		rest := blas32.General{Rows: y.Rows, Cols: y.Cols - whole, Stride: y.Stride, Data: y.Data[min(whole, len(y.Data)):]}
		addRowsPortable(rest, rows, c, into[whole:])
	}
}

func addAll(a blas32.General, x, into []float32) {
	whole := split(len(into))
	switch {
	case whole == 0 || len(x) == 0:
		whole = 0
	case active == avx512:
		sumAllAVX512(len(x), &a.Data[0], a.Stride, &x[0], &into[0], whole)
	default:
		sumAllAVX2(len(x), &a.Data[0], a.Stride, &x[0], &into[0], whole)
	}
	if whole < len(into) {
		rest := blas32.General{Rows: a.Rows, Cols: a.Cols - whole, Stride: a.Stride, Data: a.Data[min(whole, len(a.Data)):]}
		addAllPortable(rest, x, into[whole:])
	}
}
