package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
)

// cacheLine is the bytes that memory is read by.
const cacheLine = 64

// fetch asks for memory ahead of its use.
func fetch() {
	TEXT("fetchLines", NOSPLIT, "func(n int, x *float32)")
	Pragma("noescape")
	Doc("fetchLines asks for n cache lines from x on, at least 1.")
	n := Load(Param("n"), GP64())
	x := Mem{Base: Load(Param("x"), GP64())}
	Label("fetch")
	PREFETCHT0(x)
	ADDQ(Imm(cacheLine), x.Base)
	DECQ(n)
	JNZ(LabelRef("fetch"))
	RET()
}
