// Package dense is float32 linear algebra on all cores: products of matrices, Cholesky
// factors, inverses, and the short vector loops that model fitting spends its time in.
//
// Matrices are row-major: element (i, j) of a blas32.General is Data[i*Stride+j]. Loops are
// in assembly for AVX-512 and for AVX2 with FMA, whichever the CPU has, and in Go elsewhere.
// On one CPU the same input gives the same bytes whatever the number of workers; another
// instruction set adds up in another order.
//
// What takes workers takes a context, looked at between blocks, and returns its error; what
// was to be written is then half done. done is told the share that is done; it may be nil.
// Numbers that are not finite give results that are not, but no panic and no endless loop.
// Shapes that do not fit are the caller's mistake, and panic.
package dense

import (
	"fmt"
	"unsafe"

	"gonum.org/v1/gonum/blas/blas32"
)

//go:generate go -C asm run . -out ../kernels_amd64.s -stubs ../kernels_amd64.go -pkg dense

// Zeros returns a matrix of zeros.
func Zeros(rows, columns int) blas32.General {
	return blas32.General{Rows: rows, Cols: columns, Stride: max(columns, 1), Data: make([]float32, rows*columns)}
}

// Spin does n turns of the widest multiplications and additions there are, on registers alone,
// and returns how many of each it did: what one core reaches so is the most it can.
func Spin(n int) int {
	if n <= 0 {
		return 0
	}
	return spin(n)
}

// Dot returns x . y, of len(x) numbers. O(n).
func Dot(x, y []float32) float32 { return dot(x, y[:len(x)]) }

// Axpy adds a x to y, of len(x) numbers. O(n).
func Axpy(a float32, x, y []float32) { axpy(a, x, y[:len(x)]) }

// Dots sets into[k] to y_r . x, with y_r row r = rows[k] of y, rows x n, and n = len(x).
// O(len(rows) n).
func Dots(y blas32.General, rows []int32, x, into []float32) {
	checkRows(y, rows)
	if len(x) != y.Cols {
		panic(fmt.Sprintf("dense: %d numbers times rows of %d", len(x), y.Cols))
	}
	dots(y, rows, x, into[:len(rows)])
}

// AddRows adds sum_k c[k] y_r to into, with y_r row r = rows[k] of y, rows x len(into).
// O(len(rows) len(into)).
func AddRows(y blas32.General, rows []int32, c, into []float32) {
	checkRows(y, rows)
	if len(into) != y.Cols {
		panic(fmt.Sprintf("dense: rows of %d added to %d numbers", y.Cols, len(into)))
	}
	addRows(y, rows, c[:len(rows)], into)
}

// AddAllRows adds A^T x to into: AddRows of every row of A, m x n, with x of m and into of n numbers.
// O(m n).
func AddAllRows(a blas32.General, x, into []float32) {
	checkMatrix(a)
	if len(x) != a.Rows || len(into) != a.Cols {
		panic(fmt.Sprintf("dense: %d numbers times %d x %d, added to %d", len(x), a.Rows, a.Cols, len(into)))
	}
	addAll(a, x, into)
}

// Fetch asks the CPU for numbers that are soon to be read, where it can be asked, and does not wait
// for them. O(n / 16).
func Fetch[T int32 | float32](x []T) {
	if len(x) > 0 {
		fetchLines((len(x)+15)/16, (*float32)(unsafe.Pointer(unsafe.SliceData(x))))
	}
}

// checkRows panics where a row is not in y: assembly does not.
func checkRows(y blas32.General, rows []int32) {
	for _, r := range rows {
		if uint(r) >= uint(y.Rows) {
			panic(fmt.Sprintf("dense: row %d of %d", r, y.Rows))
		}
	}
	checkMatrix(y)
}

func checkMatrix(a blas32.General) {
	if a.Rows < 0 || a.Cols < 0 || a.Stride < a.Cols || a.Rows > 0 && a.Cols > 0 && len(a.Data) < (a.Rows-1)*a.Stride+a.Cols {
		panic(fmt.Sprintf("dense: %d numbers are no %d x %d with stride %d", len(a.Data), a.Rows, a.Cols, a.Stride))
	}
}
