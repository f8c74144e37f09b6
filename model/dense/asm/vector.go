package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// unroll is the number of vectors that a loop over vectors takes at a time.
const unroll = 4

// strip writes a loop over n numbers, a multiple of the width: unroll vectors at a time, then
// one at a time. step gets the number of the vector within a turn, advance the numbers passed.
func (s isa) strip(label string, n reg.Register, step func(v int), advance func(numbers int)) {
	turn := func(vectors int, name string) {
		SUBQ(U32(vectors*s.width), n)
		JL(LabelRef(name + "Done"))
		Label(name)
		for v := range vectors {
			step(v)
		}
		advance(vectors * s.width)
		SUBQ(U32(vectors*s.width), n)
		JGE(LabelRef(name))
		Label(name + "Done")
		ADDQ(U32(vectors*s.width), n)
	}
	turn(unroll, label+"Four")
	turn(1, label+"One")
}

// dot returns the sum of products of two vectors.
func (s isa) dot() {
	TEXT("dot"+s.name, NOSPLIT, "func(n int, x, y *float32) float32")
	Pragma("noescape")
	Doc(fmt.Sprintf("dot%s returns x . y of n numbers, a multiple of %d.", s.name, s.width))
	n := Load(Param("n"), GP64())
	x, y := Mem{Base: Load(Param("x"), GP64())}, Mem{Base: Load(Param("y"), GP64())}
	sums := s.zeros(unroll)
	one := s.vector()
	s.strip("dot"+s.name, n, func(v int) {
		VMOVUPS(x.Offset(v*s.bytes()), one)
		VFMADD231PS(y.Offset(v*s.bytes()), one, sums[v])
	}, func(numbers int) {
		ADDQ(U32(4*numbers), x.Base)
		ADDQ(U32(4*numbers), y.Base)
	})
	VADDPS(sums[1], sums[0], sums[0])
	VADDPS(sums[3], sums[2], sums[2])
	VADDPS(sums[2], sums[0], sums[0])
	half := s.fold(sums[0])
	quarter := XMM()
	VEXTRACTF128(Imm(1), half, quarter)
	VADDPS(quarter, half.AsX(), quarter)
	VHADDPS(quarter, quarter, quarter)
	VHADDPS(quarter, quarter, quarter)
	VZEROUPPER()
	Store(quarter, ReturnIndex(0))
	RET()
}

// fold adds the upper half of a vector of 16 to the lower one.
func (s isa) fold(v reg.VecVirtual) reg.VecVirtual {
	if s.width == 8 {
		return v
	}
	upper := YMM()
	VEXTRACTF64X4(Imm(1), v, upper)
	VADDPS(upper, v.AsY(), upper)
	return upper
}

// axpy adds a multiple of a vector to another.
func (s isa) axpy() {
	TEXT("axpy"+s.name, NOSPLIT, "func(n int, a float32, x, y *float32)")
	Pragma("noescape")
	Doc(fmt.Sprintf("axpy%s adds a x to y, of n numbers, a multiple of %d.", s.name, s.width))
	n := Load(Param("n"), GP64())
	a := s.vector()
	address, err := Param("a").Resolve()
	if err != nil {
		panic(err)
	}
	VBROADCASTSS(address.Addr, a)
	x, y := Mem{Base: Load(Param("x"), GP64())}, Mem{Base: Load(Param("y"), GP64())}
	some := make([]reg.VecVirtual, unroll)
	for v := range some {
		some[v] = s.vector()
	}
	s.strip("axpy"+s.name, n, func(v int) {
		VMOVUPS(y.Offset(v*s.bytes()), some[v])
		VFMADD231PS(x.Offset(v*s.bytes()), a, some[v])
		VMOVUPS(some[v], y.Offset(v*s.bytes()))
	}, func(numbers int) {
		ADDQ(U32(4*numbers), x.Base)
		ADDQ(U32(4*numbers), y.Base)
	})
	VZEROUPPER()
	RET()
}
