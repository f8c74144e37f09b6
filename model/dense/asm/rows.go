package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// dots multiplies four rows of a matrix at a time with a vector, so that the sums within the
// four vectors are taken together.
func (s isa) dots() {
	TEXT("dots"+s.name, NOSPLIT, "func(n int, rows *int32, y *float32, stride int, x *float32, width int, into *float32)")
	Pragma("noescape")
	Doc(fmt.Sprintf("dots%s sets into[k] to x . y_rows[k] for n rows, a multiple of 4, at least 4, width a multiple of %d.", s.name, s.width))
	n := Load(Param("n"), GP64())
	rows := Mem{Base: Load(Param("rows"), GP64())}
	base := Load(Param("y"), GP64())
	stride := Load(Param("stride"), GP64())
	into := Mem{Base: Load(Param("into"), GP64())}
	SHLQ(U8(2), stride)
	label := "dots" + s.name
	Label(label + "Rows")
	var row [4]Mem
	for r := range row {
		row[r] = Mem{Base: GP64()}
		MOVLQSX(rows.Offset(4*r), row[r].Base)
		IMULQ(stride, row[r].Base)
		ADDQ(base, row[r].Base)
	}
	x := Mem{Base: Load(Param("x"), GP64())}
	width := Load(Param("width"), GP64())
	sums := s.zeros(len(row))
	one := s.vector()
	Label(label + "Width")
	VMOVUPS(x, one)
	for r := range row {
		VFMADD231PS(row[r], one, sums[r])
		ADDQ(U32(s.bytes()), row[r].Base)
	}
	ADDQ(U32(s.bytes()), x.Base)
	SUBQ(U32(s.width), width)
	JG(LabelRef(label + "Width"))
	var half [4]reg.VecVirtual
	for r := range half {
		half[r] = s.fold(sums[r])
	}
	VHADDPS(half[1], half[0], half[0])
	VHADDPS(half[3], half[2], half[2])
	VHADDPS(half[2], half[0], half[0])
	quarter := XMM()
	VEXTRACTF128(Imm(1), half[0], quarter)
	VADDPS(quarter, half[0].AsX(), quarter)
	VMOVUPS(quarter, into)
	ADDQ(U32(4*len(row)), rows.Base)
	ADDQ(U32(4*len(row)), into.Base)
	SUBQ(U32(len(row)), n)
	JG(LabelRef(label + "Rows"))
	VZEROUPPER()
	RET()
}

// sum adds multiples of rows to a vector, as many numbers of it at a time as registers hold.
func (s isa) sum(name string, gathered bool) {
	name += s.name
	signature, which := "func(n int, rows *int32, y *float32, stride int, c, into *float32, width int)", "y_rows[k]"
	if !gathered {
		signature, which = "func(n int, y *float32, stride int, c, into *float32, width int)", "y_k"
	}
	TEXT(name, NOSPLIT, signature)
	Pragma("noescape")
	Doc(fmt.Sprintf("%s adds c[k] %s to into for n rows, at least 1, width a multiple of %d.", name, which, s.width))
	y := Load(Param("y"), GP64())
	stride := Load(Param("stride"), GP64())
	SHLQ(U8(2), stride)
	into := Mem{Base: Load(Param("into"), GP64())}
	width := Load(Param("width"), GP64())
	for _, vectors := range []int{8, 4, 1} {
		label := fmt.Sprintf("%sBy%d", name, vectors)
		numbers := U32(vectors * s.width)
		bytes := U32(vectors * s.bytes())
		SUBQ(numbers, width)
		JL(LabelRef(label + "Done"))
		Label(label)
		sums := make([]reg.VecVirtual, vectors)
		for v := range sums {
			sums[v] = s.vector()
			VMOVUPS(into.Offset(v*s.bytes()), sums[v])
		}
		n := Load(Param("n"), GP64())
		c := Mem{Base: Load(Param("c"), GP64())}
		row := GP64()
		var rows Mem
		if gathered {
			rows = Mem{Base: Load(Param("rows"), GP64())}
		} else {
			MOVQ(y, row)
		}
		Label(label + "Rows")
		if gathered {
			MOVLQSX(rows, row)
			IMULQ(stride, row)
			ADDQ(y, row)
			ADDQ(U32(4), rows.Base)
		}
		one := s.vector()
		VBROADCASTSS(c, one)
		for v := range sums {
			VFMADD231PS(Mem{Base: row, Disp: v * s.bytes()}, one, sums[v])
		}
		if !gathered {
			ADDQ(stride, row)
		}
		ADDQ(U32(4), c.Base)
		DECQ(n)
		JNZ(LabelRef(label + "Rows"))
		for v := range sums {
			VMOVUPS(sums[v], into.Offset(v*s.bytes()))
		}
		ADDQ(bytes, into.Base)
		ADDQ(bytes, y)
		SUBQ(numbers, width)
		JGE(LabelRef(label))
		Label(label + "Done")
		ADDQ(numbers, width)
	}
	VZEROUPPER()
	RET()
}
