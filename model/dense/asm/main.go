// Asm writes the assembly of package dense: kernels_amd64.s and the Go declarations beside it.
// It is a module of its own, so that the engine does not depend on what generates it.
package main

import (
	. "github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/reg"
)

// isa is a width of vectors and what fits its registers.
type isa struct {
	name string
	// width is the number of float32 in a vector, a power of 2.
	width int
	// vector returns a new register.
	vector func() reg.VecVirtual
	// rows and columns of the tile of a matrix product, columns in vectors.
	rows, columns int
}

var (
	avx2   = isa{name: "AVX2", width: 8, vector: YMM, rows: 6, columns: 2}
	avx512 = isa{name: "AVX512", width: 16, vector: ZMM, rows: 12, columns: 2}
)

func (s isa) bytes() int { return 4 * s.width }

// vectors returns n registers, zeroed.
func (s isa) zeros(n int) []reg.VecVirtual {
	all := make([]reg.VecVirtual, n)
	for i := range all {
		all[i] = s.vector()
		s.zero(all[i])
	}
	return all
}

func (s isa) zero(v reg.VecVirtual) {
	if s.width == 16 {
		VPXORD(v, v, v)
		return
	}
	VXORPS(v, v, v)
}

func main() {
	ConstraintExpr("amd64")
	for _, s := range []isa{avx2, avx512} {
		s.tile()
		s.peak()
		s.dot()
		s.axpy()
		s.dots()
		s.sum("sumRows", true)
		s.sum("sumAll", false)
	}
	fetch()
	Generate()
}
