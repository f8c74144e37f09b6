//go:build !amd64

package dense

import "gonum.org/v1/gonum/blas/blas32"

func widest() set { return portable }

func tile() tileShape { return portableTile }

func spin(n int) int { return spinPortable(n) }

func dot(x, y []float32) float32 { return dotPortable(x, y) }

func axpy(a float32, x, y []float32) { axpyPortable(a, x, y) }

func dots(y blas32.General, rows []int32, x, into []float32) { dotsPortable(y, rows, x, into) }

func addRows(y blas32.General, rows []int32, c, into []float32) { addRowsPortable(y, rows, c, into) }

func addAll(a blas32.General, x, into []float32) { addAllPortable(a, x, into) }

func fetchLines(int, *float32) {}
