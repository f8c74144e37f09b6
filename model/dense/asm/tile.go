package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// ahead is how many steps of the inner dimension are written out one after the other.
const ahead = 4

// tile adds the product of a packed panel of A and one of B to a tile of C. The tile stays in
// registers; each step loads a row of B and broadcasts the numbers of a column of A.
func (s isa) tile() {
	TEXT("tile"+s.name, NOSPLIT, "func(k int, a, b, c *float32, stride int)")
	Pragma("noescape")
	Doc(fmt.Sprintf("tile%s adds A B to C, %d x %d, its rows stride numbers apart: A is k columns of %d, B k rows of %d.",
		s.name, s.rows, s.columns*s.width, s.rows, s.columns*s.width))
	k := Load(Param("k"), GP64())
	a := Mem{Base: Load(Param("a"), GP64())}
	b := Mem{Base: Load(Param("b"), GP64())}
	c := Load(Param("c"), GP64())
	stride := Load(Param("stride"), GP64())
	SHLQ(U8(2), stride)
	at := GP64()
	MOVQ(c, at)
	for range s.rows {
		PREFETCHT0(Mem{Base: at})
		PREFETCHT0(Mem{Base: at, Disp: s.columns*s.bytes() - 4})
		ADDQ(stride, at)
	}
	sums := s.zeros(s.rows * s.columns)
	row := make([]reg.VecVirtual, s.columns)
	for j := range row {
		row[j] = s.vector()
	}
	one := []reg.VecVirtual{s.vector(), s.vector()}
	step := func(n int) {
		for j := range row {
			VMOVUPS(b.Offset((n*s.columns+j)*s.bytes()), row[j])
		}
		for i := range s.rows {
			x := one[i%len(one)]
			VBROADCASTSS(a.Offset(4*(n*s.rows+i)), x)
			for j := range row {
				VFMADD231PS(x, row[j], sums[i*s.columns+j])
			}
		}
	}
	advance := func(n int) {
		ADDQ(U32(4*n*s.rows), a.Base)
		ADDQ(U32(n*s.columns*s.bytes()), b.Base)
	}
	label := "tile" + s.name
	SUBQ(U32(ahead), k)
	JL(LabelRef(label + "Rest"))
	Label(label + "Loop")
	for n := range ahead {
		step(n)
	}
	advance(ahead)
	SUBQ(U32(ahead), k)
	JGE(LabelRef(label + "Loop"))
	Label(label + "Rest")
	ADDQ(U32(ahead), k)
	JZ(LabelRef(label + "Add"))
	Label(label + "One")
	step(0)
	advance(1)
	DECQ(k)
	JNZ(LabelRef(label + "One"))
	Label(label + "Add")
	for i := range s.rows {
		for j := range row {
			sum := sums[i*s.columns+j]
			at := Mem{Base: c, Disp: j * s.bytes()}
			VADDPS(at, sum, sum)
			VMOVUPS(sum, at)
		}
		ADDQ(stride, c)
	}
	VZEROUPPER()
	RET()
}

// peak multiplies and adds in registers only: the most that the machine can do.
func (s isa) peak() {
	const sums = 12
	TEXT("peak"+s.name, NOSPLIT, "func(n int)")
	Pragma("noescape")
	Doc(fmt.Sprintf("peak%s does n times %d multiplications and additions, in registers.", s.name, sums*s.width))
	n := Load(Param("n"), GP64())
	all := s.zeros(sums)
	x := s.zeros(2)
	Label("peak" + s.name + "Loop")
	for _, sum := range all {
		VFMADD231PS(x[0], x[1], sum)
	}
	DECQ(n)
	JNZ(LabelRef("peak" + s.name + "Loop"))
	VZEROUPPER()
	RET()
}
