package dense

import (
	"context"
	"fmt"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas32"

	"github.com/attune-shop/attune/model/parallel"
)

const (
	// depth is how much of the inner dimension is packed and multiplied at once: as much as
	// keeps a panel of B in the first cache.
	depth = 256
	// blockRows and blockColumns are what one goroutine updates at a time: rows whose panels
	// of A stay in the second cache. Every tile shape divides them.
	blockRows    = 240
	blockColumns = 512
)

// Gemm adds alpha A B to C: A is m x k, B k x n and C m x n, A and B transposed where told.
// m n k multiplications; 4 * 256 (m + n) bytes beside the matrices, from a tenth of that on.
// (Goto, van de Geijn 2008: panels packed for the caches, a tile of C in registers.)
func Gemm(ctx context.Context, transA, transB blas.Transpose, alpha float32, a, b, c blas32.General, workers int, done func(float64)) error {
	u := update{a: viewOf(transA, a), b: viewOf(transB, b), c: c, alpha: alpha}
	u.check()
	return u.run(ctx, new(packing), workers, done)
}

// Syrk adds alpha A A^T to the lower triangle of C, n x n, with A n x k; with blas.Trans
// alpha A^T A, with A k x n. What is above the diagonal is neither read nor written.
// n^2 k / 2 multiplications; memory as Gemm.
func Syrk(ctx context.Context, trans blas.Transpose, alpha float32, a, c blas32.General, workers int, done func(float64)) error {
	v := viewOf(trans, a)
	u := update{a: v, b: v.transposed(), c: c, alpha: alpha, lower: true}
	u.check()
	return u.run(ctx, new(packing), workers, done)
}

// view is a matrix whose element (i, j) is data[i*down+j*across].
type view struct {
	rows, columns int
	down, across  int
	data          []float32
}

func viewOf(trans blas.Transpose, a blas32.General) view {
	checkMatrix(a)
	v := view{rows: a.Rows, columns: a.Cols, down: a.Stride, across: 1, data: a.Data}
	if trans != blas.NoTrans {
		return v.transposed()
	}
	return v
}

func (v view) transposed() view {
	return view{rows: v.columns, columns: v.rows, down: v.across, across: v.down, data: v.data}
}

// update is C += alpha A B. One element of C is always summed up in the same order: in steps
// of depth, each from its first to its last product.
type update struct {
	a, b  view
	c     blas32.General
	alpha float32
	// lower says that only the lower triangle of C, which is square, matters.
	lower bool
	// triangle says where a square A of at most depth rows is 0, and need not be multiplied.
	triangle triangle
	// hole are the rows and columns of C, [from, to), that keep what they hold.
	hole struct{ from, to int }
}

// triangle is the part of a matrix that is not 0.
type triangle int

const (
	full triangle = iota
	lowerTriangle
	upperTriangle
)

func (u *update) check() {
	checkMatrix(u.c)
	if u.a.columns != u.b.rows || u.a.rows != u.c.Rows || u.b.columns != u.c.Cols {
		panic(fmt.Sprintf("dense: %d x %d times %d x %d added to %d x %d",
			u.a.rows, u.a.columns, u.b.rows, u.b.columns, u.c.Rows, u.c.Cols))
	}
}

// run packs, for each depth of the inner dimension, all of A and B, and then goes through C
// block by block, the last rows first: of a triangle they take the longest.
func (u *update) run(ctx context.Context, p *packing, workers int, done func(float64)) error {
	m, n, inner := u.c.Rows, u.c.Cols, u.a.columns
	if m == 0 || n == 0 || inner == 0 {
		return ctx.Err()
	}
	p.reset(m, n, min(inner, depth))
	down, across := (m+blockRows-1)/blockRows, (n+blockColumns-1)/blockColumns
	for p.from = 0; p.from < inner; p.from += depth {
		p.to = min(inner, p.from+depth)
		if err := p.pack(ctx, u, workers); err != nil {
			return err
		}
		part := parallel.Share(done, float64(p.from)/float64(inner), float64(p.to)/float64(inner))
		err := parallel.Each(ctx, down*across, workers, 1, part, func(_, block, _ int) error {
			u.block(p, (down-1-block/across)*blockRows, block%across*blockColumns)
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// block updates the blockRows x blockColumns of C that begin at (top, left).
func (u *update) block(p *packing, top, left int) {
	bottom, right := min(u.c.Rows, top+blockRows), min(u.c.Cols, left+blockColumns)
	if u.lower {
		right = min(right, bottom)
	}
	r, w := p.shape.rows, p.shape.columns
	var edge [maxTile]float32
	for j := left; j < right; j += w {
		if u.hole.from <= j && j+w <= u.hole.to {
			continue
		}
		first := top
		if u.lower {
			first = max(first, j/r*r)
		}
		for i := first; i < bottom; i += r {
			if u.hole.from <= i && i+r <= u.hole.to {
				continue
			}
			from, to := u.steps(p, i)
			a := p.a[i*(p.to-p.from):][from*r : to*r]
			b := p.b[j*(p.to-p.from):][from*w : to*w]
			if i+r <= u.c.Rows && j+w <= u.c.Cols && (!u.lower || j+w-1 <= i) {
				p.shape.add(a, b, u.c.Data[i*u.c.Stride+j:], u.c.Stride)
				continue
			}
			clear(edge[:r*w])
			p.shape.add(a, b, edge[:], w)
			u.addEdge(edge[:], i, j, r, w)
		}
	}
}

// steps are the inner dimension's [from, to), from p.from on, that count for the rows of A
// in the panel at row i.
func (u *update) steps(p *packing, i int) (from, to int) {
	switch n := p.to - p.from; u.triangle {
	case lowerTriangle:
		return 0, min(n, i+p.shape.rows)
	case upperTriangle:
		return i, n
	default:
		return 0, n
	}
}

// addEdge adds what of a tile at (i, j) is in C, and of its triangle, to C.
func (u *update) addEdge(tile []float32, i, j, rows, columns int) {
	for k := range min(rows, u.c.Rows-i) {
		width := min(columns, u.c.Cols-j)
		if u.lower {
			width = min(width, i+k+1-j)
		}
		for q := range width {
			u.c.Data[(i+k)*u.c.Stride+j+q] += tile[k*columns+q]
		}
	}
}
