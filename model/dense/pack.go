package dense

import (
	"context"

	"github.com/attune-shop/attune/model/parallel"
)

// packing holds a depth of A and B, [from, to) of the inner dimension, in the order in which
// tiles read it: A in panels of shape.rows rows, column after column, B in panels of
// shape.columns columns, row after row. Panels at the edge are filled up with 0.
type packing struct {
	shape    tileShape
	from, to int
	a, b     []float32
}

// reset makes room for m rows of A and n columns of B, where there is none yet.
func (p *packing) reset(m, n, steps int) {
	p.shape = tile()
	grow := func(into *[]float32, n, width int) {
		if size := (n + width - 1) / width * width * steps; len(*into) < size {
			*into = make([]float32, size)
		}
	}
	grow(&p.a, m, p.shape.rows)
	grow(&p.b, n, p.shape.columns)
}

// packPanels is how many panels a goroutine packs at a time.
const packPanels = 8

// pack copies A, times alpha, and B.
func (p *packing) pack(ctx context.Context, u *update, workers int) error {
	err := parallel.Each(ctx, u.a.rows, workers, packPanels*p.shape.rows, nil, func(_, from, to int) error {
		packPanel(u.a.transposed(), u.alpha, p.from, p.to, from, to, p.shape.rows, p.a)
		return nil
	})
	if err != nil {
		return err
	}
	return parallel.Each(ctx, u.b.columns, workers, packPanels*p.shape.columns, nil, func(_, from, to int) error {
		packPanel(u.b, 1, p.from, p.to, from, to, p.shape.columns, p.b)
		return nil
	})
}

// packPanel copies rows [top, bottom) of columns [left, right) of v, times alpha, in panels of
// width columns. left is a multiple of width; column j's panel begins at (bottom-top) j.
func packPanel(v view, alpha float32, top, bottom, left, right, width int, into []float32) {
	steps := bottom - top
	for j := left; j < right; j += width {
		panel := into[j*steps : (j+width)*steps]
		w := min(width, right-j)
		if w < width {
			clear(panel)
		}
		if v.across == 1 {
			for k := range steps {
				row, from := panel[k*width:k*width+w], v.data[(top+k)*v.down+j:][:w]
				if alpha == 1 {
					copy(row, from)
					continue
				}
				for q, x := range from {
					row[q] = alpha * x
				}
			}
			continue
		}
		for q := range w { // v.down is 1: a column is read in one piece
			at := q
			for _, x := range v.data[(j+q)*v.across+top:][:steps] {
				panel[at] = alpha * x
				at += width
			}
		}
	}
}
