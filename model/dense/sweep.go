package dense

import (
	"context"
	"fmt"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas32"

	"github.com/attune-shop/attune/model/parallel"
)

// pivotWidth is how many columns Cholesky and Invert finish at a time: at most depth, and a
// multiple of every tile's sides. Fewer go through A more often, more make more of the work
// products with a panel.
const pivotWidth = 192

// sweep is the memory of a walk along the diagonal of a symmetric A, of which the lower
// triangle is there: at each step of a pivot A_kk, rows and columns [from, to), and a panel,
// what the other rows hold in its columns.
type sweep struct {
	a        blas32.General
	workers  int
	from, to int
	// factor is L, A_kk = L L^T, and inverse is L^-1, with zeros above the diagonal.
	factor, inverse blas32.General
	// panel holds A_ki and half holds L^-1 A_ki in column i, for all rows i but the pivot's,
	// where they are 0.
	panel, half blas32.General
	packing     packing
}

func newSweep(a blas32.General, workers int) *sweep {
	checkSquare(a)
	width := min(pivotWidth, a.Rows)
	return &sweep{
		a: a, workers: workers,
		factor: Zeros(width, width), inverse: Zeros(width, width),
		panel: Zeros(width, a.Cols), half: Zeros(width, a.Cols),
	}
}

// pivot goes to rows and columns [from, to) and factorizes them, beside A.
func (s *sweep) pivot(from, to int) error {
	s.from, s.to = from, to
	n := to - from
	l := part(s.factor, 0, 0, n, n)
	for i := range n {
		copy(l.Data[i*l.Stride:], s.a.Data[(from+i)*s.a.Stride+from:][:i+1])
	}
	if at := factorize(l); at < n {
		return fmt.Errorf("row %d: %w", from+at, ErrNotPositiveDefinite)
	}
	invertLower(l, part(s.inverse, 0, 0, n, n))
	return nil
}

// eliminate takes what the rows and columns [first, n) of A, but the pivot's, have in common
// with the pivot: A_ij <- A_ij - A_ik A_kk^-1 A_kj.
func (s *sweep) eliminate(ctx context.Context, first int) error {
	if first == s.a.Rows {
		return nil
	}
	if err := s.gather(ctx, first); err != nil {
		return err
	}
	if err := s.multiply(ctx, lowerTriangle, s.panel, s.half, first); err != nil {
		return err
	}
	n := s.a.Rows - first
	w := viewOf(blas.Trans, part(s.half, 0, first, s.to-s.from, n))
	u := update{a: w, b: w.transposed(), c: part(s.a, first, first, n, n), alpha: -1, lower: true}
	u.hole.from, u.hole.to = s.from-first, s.to-first
	return u.run(ctx, &s.packing, s.workers, nil)
}

// multiply sets columns [first, n) of into to L^-1 times those of a panel, or to L^-T times
// them where the upper triangle is asked for.
func (s *sweep) multiply(ctx context.Context, t triangle, panel, into blas32.General, first int) error {
	width, n := s.to-s.from, s.a.Rows-first
	c := part(into, 0, first, width, n)
	for i := range width {
		clear(c.Data[i*c.Stride : i*c.Stride+n])
	}
	a := viewOf(blas.NoTrans, part(s.inverse, 0, 0, width, width))
	if t == upperTriangle {
		a = a.transposed()
	}
	u := update{a: a, b: viewOf(blas.NoTrans, part(panel, 0, first, width, n)), c: c, alpha: 1, triangle: t}
	return u.run(ctx, &s.packing, s.workers, nil)
}

// stripe is how many rows of A are moved to or from a panel at a time.
const stripe = 64

// gather copies what rows [first, n) hold in the pivot's columns from A to the panel.
func (s *sweep) gather(ctx context.Context, first int) error {
	return s.move(ctx, first, func(i, j int) {
		for k := s.from; k < s.to; k++ {
			copy(s.panel.Data[(k-s.from)*s.panel.Stride+i:][:j-i], s.a.Data[k*s.a.Stride+i:])
		}
	}, func(i, j int) {
		transpose(part(s.a, i, s.from, j-i, s.to-s.from), part(s.panel, 0, i, s.to-s.from, j-i))
	}, func(i, j int) {
		for k := range s.to - s.from {
			clear(s.panel.Data[k*s.panel.Stride+i:][:j-i])
		}
	})
}

// scatter copies it back from a panel.
func (s *sweep) scatter(ctx context.Context, panel blas32.General, first int) error {
	return s.move(ctx, first, func(i, j int) {
		for k := s.from; k < s.to; k++ {
			copy(s.a.Data[k*s.a.Stride+i:][:j-i], panel.Data[(k-s.from)*panel.Stride+i:])
		}
	}, func(i, j int) {
		transpose(part(panel, 0, i, s.to-s.from, j-i), part(s.a, i, s.from, j-i, s.to-s.from))
	}, func(int, int) {})
}

// move goes through rows [first, n) in ranges [i, j): those above the pivot, whose numbers
// are in the pivot's rows of the lower triangle, those below it, and the pivot's own.
func (s *sweep) move(ctx context.Context, first int, above, below, own func(i, j int)) error {
	return parallel.Each(ctx, s.a.Rows-first, s.workers, stripe, nil, func(_, i, j int) error {
		i, j = first+i, first+j
		if to := min(j, s.from); i < to {
			above(i, to)
		}
		if from, to := max(i, s.from), min(j, s.to); from < to {
			own(from, to)
		}
		if from := max(i, s.to); from < j {
			below(from, j)
		}
		return nil
	})
}

// transpose copies A^T to into, in squares that stay in the cache.
func transpose(a, into blas32.General) {
	const side = 16
	for top := 0; top < a.Rows; top += side {
		for left := 0; left < a.Cols; left += side {
			for i := top; i < min(a.Rows, top+side); i++ {
				for j, x := range a.Data[i*a.Stride+left : i*a.Stride+min(a.Cols, left+side)] {
					into.Data[(left+j)*into.Stride+i] = x
				}
			}
		}
	}
}
