package spectral

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas32"
	"gonum.org/v1/gonum/mat"

	"github.com/attune-shop/attune/model/cf/feedback"
	"github.com/attune-shop/attune/model/dense"
	"github.com/attune-shop/attune/model/parallel"
)

const (
	// eigenRounds is how often the vectors are filtered.
	eigenRounds = 6
	// eigenDegree is the greatest degree of the filter, and the products with P of a round.
	eigenDegree = 6
	// eigenGrowth is how much stronger the filter may make one vector than another: what
	// float32 loses of the weaker one is that times 1e-7.
	eigenGrowth = 1e5
	// eigenLeast is the least eigenvalue that counts.
	eigenLeast = 1e-3
	// independent is the least eigenvalue of unit vectors' Gram matrix at which none of them
	// depends on the others, as far as float32 can tell.
	independent = 1e-5
)

// decompose finds V by subspace iteration from random vectors, an eighth and 16 more of them
// than asked for, each of other items and so orthogonal to all others, whose items the marks and
// the seed draw: in each round a Chebyshev polynomial of P, small below the least eigenvalue found so far and steep above it,
// is applied to them (Zhou, Saad et al. 2006), they are made orthogonal, and turned such that
// each is an eigenvector as far as the space that they span has one (Rayleigh-Ritz). With l
// vectors: O(rounds (pairs l + items l^2 + l^3)), 8 items l bytes.
//
// Whether an eigenvalue is found depends on those after it: where they fall slowly the last
// ones are mixtures, which a low-pass hardly minds.
func (s *spectrum) decompose(ctx context.Context, k int, marks []uint64, seed int64, workers int, done func(float64)) error {
	var active []int32
	for i, degree := range s.degrees {
		if degree > 0 {
			active = append(active, int32(i))
		}
	}
	k = min(max(k, 1), len(active))
	l := min(k+k/8+16, len(active))
	e := &eigen{spectrum: s, workers: workers, memory: s.newBlocks(workers)}
	e.q, e.y = dense.Zeros(s.items.Len(), l), dense.Zeros(s.items.Len(), l)
	random := rand.New(rand.NewPCG(uint64(seed), 2))
	for place, k := range feedback.Draw(len(active), len(active), seed, func(k int) uint64 { return marks[active[k]] }) {
		e.q.Data[int(active[k])*e.q.Stride+place%l] = float32(random.NormFloat64())
	}
	for round := range eigenRounds + 1 {
		if e.q.Cols == 0 || round == 1 && l == len(active) {
			break // nothing to find, or found at once
		}
		within := parallel.Share(done, float64(round)/(eigenRounds+1), float64(round+1)/(eigenRounds+1))
		if round > 0 {
			floor := min(max(e.values[len(e.values)-1], eigenLeast), .5)
			if err := e.filter(ctx, floor, parallel.Share(within, 0, .5)); err != nil {
				return err
			}
		}
		if err := e.orthogonalize(ctx); err != nil {
			return err
		}
		if err := e.rotate(ctx, parallel.Share(within, .5, 1)); err != nil {
			return err
		}
	}
	for k = min(k, len(e.values)); k > 0 && e.values[k-1] < eigenLeast; {
		k--
	}
	s.vectors, s.values = dense.Zeros(s.items.Len(), k), e.values[:k]
	copyMatrix(s.vectors, columnsOf(e.q, 0, k))
	return ctx.Err()
}

// eigen is a subspace iteration: q holds the vectors, items x l, y is another such matrix.
type eigen struct {
	*spectrum
	q, y    blas32.General
	values  []float64
	workers int
	memory  []*blocks
}

// degree returns that of the steepest Chebyshev polynomial T with T(2 / floor - 1) at most
// eigenGrowth, between 1 and eigenDegree.
func degree(floor float64) int {
	d := 1
	for d < eigenDegree && math.Cosh(float64(d+1)*math.Acosh(2/floor-1)) <= eigenGrowth {
		d++
	}
	return d
}

// filter sets q to T(2 P / floor - 1) q, with T the Chebyshev polynomial of the degree.
func (e *eigen) filter(ctx context.Context, floor float64, done func(float64)) error {
	return parallel.Each(ctx, e.q.Cols, e.workers, filterBlock, done, func(worker, a, b int) error {
		m := e.memory[worker]
		m.resize(b - a)
		columns := columnsOf(e.q, a, b)
		copyMatrix(m.y, columns)
		// x holds the polynomial before, y becomes the next: 2 (2 P / floor - 1) y - x.
		current := dense.Zeros(m.y.Rows, m.y.Cols)
		copy(current.Data, m.y.Data)
		slope := float32(2 / floor)
		for j := range degree(floor) {
			copy(m.y.Data, current.Data)
			if err := e.apply(ctx, m); err != nil {
				return err
			}
			for i, x := range m.y.Data {
				next := slope*x - current.Data[i]
				if j > 0 {
					next = 2*next - m.x.Data[i]
				}
				m.x.Data[i], current.Data[i] = current.Data[i], next
			}
		}
		copyMatrix(columns, current)
		return nil
	})
}

// orthogonalize makes q's columns orthonormal, and leaves out what depends on others: twice,
// as once is not enough where they were nearly dependent.
func (e *eigen) orthogonalize(ctx context.Context) error {
	for range 2 {
		e.scale()
		gram := dense.Zeros(e.q.Cols, e.q.Cols)
		if err := dense.Syrk(ctx, blas.Trans, 1, e.q, gram, e.workers, nil); err != nil {
			return err
		}
		by, err := whitening(gram)
		if err != nil {
			return err
		}
		if err := e.turn(ctx, by); err != nil {
			return err
		}
	}
	return nil
}

// whitening returns the W with W^T G W = I of a Gram matrix of unit vectors, whose lower
// triangle is given: the inverse of its Cholesky factor, transposed, or where that is in
// doubt its eigenvectors by the square roots of their values, those near 0 left out
// (Stathopoulos, Wu 2002).
func whitening(gram blas32.General) (blas32.General, error) {
	symmetric, err := symmetricOf(gram)
	if err != nil {
		return gram, err
	}
	var c mat.Cholesky
	if gram.Rows > 0 && c.Factorize(symmetric) && c.Cond() < 1/independent {
		var u, inverse mat.TriDense
		c.UTo(&u)
		if err := inverse.InverseTri(&u); err == nil {
			w := dense.Zeros(gram.Rows, gram.Rows)
			for i := range gram.Rows {
				for j := i; j < gram.Rows; j++ {
					w.Data[i*w.Stride+j] = float32(inverse.At(i, j))
				}
			}
			return w, nil
		}
	}
	values, vectors, err := eigenOf(gram)
	kept := 0
	for kept < len(values) && values[kept] > independent {
		scale := float32(1 / math.Sqrt(values[kept]))
		for i := range vectors.Rows {
			vectors.Data[i*vectors.Stride+kept] *= scale
		}
		kept++
	}
	return columnsOf(vectors, 0, kept), err
}

// scale makes q's columns unit vectors.
func (e *eigen) scale() {
	squares := make([]float64, e.q.Cols)
	for i := range e.q.Rows {
		for c, x := range line(e.q, i) {
			squares[c] += float64(x) * float64(x)
		}
	}
	for c, x := range squares {
		squares[c] = 0
		if x > 0 {
			squares[c] = 1 / math.Sqrt(x)
		}
	}
	for i := range e.q.Rows {
		row := line(e.q, i)
		for c := range row {
			row[c] = float32(float64(row[c]) * squares[c])
		}
	}
}

// rotate turns q such that q^T P q is diagonal, and keeps the diagonal as values.
func (e *eigen) rotate(ctx context.Context, done func(float64)) error {
	l := e.q.Cols
	err := parallel.Each(ctx, l, e.workers, filterBlock, done, func(worker, a, b int) error {
		m := e.memory[worker]
		m.resize(b - a)
		copyMatrix(m.y, columnsOf(e.q, a, b))
		err := e.apply(ctx, m)
		copyMatrix(columnsOf(e.y, a, b), m.y)
		return err
	})
	if err != nil {
		return err
	}
	y := columnsOf(e.y, 0, l)
	gram := dense.Zeros(l, l)
	if err := dense.Gemm(ctx, blas.Trans, blas.NoTrans, 1, e.q, y, gram, e.workers, nil); err != nil {
		return err
	}
	values, vectors, err := eigenOf(gram)
	if err != nil {
		return err
	}
	e.values = values
	return e.turn(ctx, vectors)
}

// turn sets q to q times a matrix that is not wider.
func (e *eigen) turn(ctx context.Context, by blas32.General) error {
	into := blas32.General{Rows: e.q.Rows, Cols: by.Cols, Stride: max(by.Cols, 1), Data: e.y.Data[:e.q.Rows*by.Cols]}
	clear(into.Data)
	if err := dense.Gemm(ctx, blas.NoTrans, blas.NoTrans, 1, e.q, by, into, e.workers, nil); err != nil {
		return err
	}
	e.y.Data, e.q = e.q.Data[:cap(e.q.Data)], into
	e.y.Cols, e.y.Stride = into.Cols, into.Stride
	e.y.Data = e.y.Data[:e.y.Rows*e.y.Cols]
	return nil
}

var errNoEigen = errors.New("spectral: no eigenvalues: numbers that are not finite")

// eigenOf returns eigenvalues, greatest first, and eigenvectors as columns, of the symmetric
// matrix whose lower triangle is given. O(n^3).
func eigenOf(a blas32.General) ([]float64, blas32.General, error) {
	n := a.Rows
	vectors := dense.Zeros(n, n)
	if n == 0 {
		return nil, vectors, nil
	}
	symmetric, err := symmetricOf(a)
	if err != nil {
		return nil, vectors, err
	}
	var e mat.EigenSym
	if !e.Factorize(symmetric, true) {
		return nil, vectors, errNoEigen
	}
	var found mat.Dense
	e.VectorsTo(&found)
	ascending := e.Values(nil)
	values := make([]float64, n)
	for c := range n {
		values[c] = ascending[n-1-c]
		for i := range n {
			vectors.Data[i*vectors.Stride+c] = float32(found.At(i, n-1-c))
		}
	}
	return values, vectors, nil
}

// symmetricOf returns the symmetric matrix whose lower triangle is given.
func symmetricOf(a blas32.General) (*mat.SymDense, error) {
	if a.Rows == 0 {
		return nil, nil
	}
	symmetric := mat.NewSymDense(a.Rows, nil)
	for i := range a.Rows {
		for j, x := range a.Data[i*a.Stride:][:i+1] {
			if x-x != 0 {
				return nil, errNoEigen
			}
			symmetric.SetSym(i, j, float64(x))
		}
	}
	return symmetric, nil
}
