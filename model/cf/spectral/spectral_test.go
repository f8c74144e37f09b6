package spectral

import (
	"context"
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"testing"

	"gonum.org/v1/gonum/mat"

	"github.com/attune-shop/attune/model/cf/cftest"
	"github.com/attune-shop/attune/model/cf/eval"
	"github.com/attune-shop/attune/model/cf/feedback"
	"github.com/attune-shop/attune/model/cf/sparse"
)

// oracle is the filter by its formula, in float64: R~ in full, all of its singular
// vectors, products of whole matrices. It returns the items x items matrix whose row i is the
// answer to item i, and the eigenvalues of P.
func oracle(d *feedback.Dataset, set Filter) (*mat.Dense, []float64) {
	x := cftest.MatrixOf(d)
	users, items := x.Dims()
	sum := func(n int, v func(int) mat.Vector) []float64 {
		sums := make([]float64, n)
		for i := range n {
			sums[i] = mat.Sum(v(i))
		}
		return sums
	}
	ofUsers := sum(users, func(u int) mat.Vector { return x.RowView(u) })
	ofItems := sum(items, func(i int) mat.Vector { return x.ColView(i) })
	power := func(p float64) *mat.DiagDense {
		diagonal := mat.NewDiagDense(items, nil)
		for i, degree := range ofItems {
			if degree > 0 {
				diagonal.SetDiag(i, math.Pow(degree, p))
			}
		}
		return diagonal
	}
	var r, p mat.Dense
	r.Apply(func(u, i int, x float64) float64 {
		if x == 0 {
			return 0
		}
		return x / math.Sqrt(ofUsers[u]*ofItems[i])
	}, x)
	p.Mul(r.T(), &r)
	var svd mat.SVD
	if !svd.Factorize(&r, mat.SVDThin) {
		panic("no decomposition")
	}
	var v, projection, smooth, step, blurred mat.Dense
	svd.VTo(&v)
	values := svd.Values(nil)
	for i := range values {
		values[i] *= values[i]
	}
	k := set.Factors
	for k > len(values) || values[k-1] < eigenLeast {
		k--
	}
	first := v.Slice(0, items, 0, k)
	projection.Mul(first, first.T())
	smooth.Product(power(-.5), &projection, power(.5))
	smooth.Scale(set.LowPass, &smooth)
	step.Product(power(-set.Exponent), r.T(), &r, power(set.Exponent))
	blurred.Add(&step, &smooth)
	// db/dt = -P b from b, one classical Runge-Kutta step.
	slope := func(b mat.Matrix) *mat.Dense {
		var s mat.Dense
		s.Mul(b, &p)
		s.Scale(-1, &s)
		return &s
	}
	along := func(h float64, k *mat.Dense) *mat.Dense {
		var b mat.Dense
		b.Scale(h, k)
		b.Add(&blurred, &b)
		return &b
	}
	t := set.Sharpening
	k1 := slope(&blurred)
	k2 := slope(along(t/2, k1))
	k3 := slope(along(t/2, k2))
	k4 := slope(along(t, k3))
	var sharp mat.Dense
	sharp.Apply(func(i, j int, b float64) float64 {
		return b + t/6*(k1.At(i, j)+2*k2.At(i, j)+2*k3.At(i, j)+k4.At(i, j))
	}, &blurred)
	return &sharp, values
}

// shops are datasets to filter, by name.
func shops() map[string]*feedback.Dataset {
	build := func(fill func(b *feedback.Builder)) *feedback.Dataset {
		b := feedback.NewBuilder()
		fill(b)
		return b.Build()
	}
	sold := func(b *feedback.Builder) { b.AddBasket([]string{"never seen", "never chosen"}) }
	return map[string]*feedback.Dataset{
		"many users":       cftest.Shop(1, 90, 40, 700),
		"many items":       cftest.Shop(2, 30, 120, 500),
		"more than blocks": cftest.Shop(3, 150, 300, 2000),
		"one item":         build(func(b *feedback.Builder) { b.Add("a", "x", 1, 0); b.Add("b", "x", 3, 0) }),
		"one user": build(func(b *feedback.Builder) {
			b.Add("a", "x", 1, 0)
			b.Add("a", "y", 3, 0)
			b.Add("a", "y", 1, 1)
			sold(b)
		}),
		"one of each": build(func(b *feedback.Builder) { b.Add("a", "x", 2, 0) }),
		"two who share nothing": build(func(b *feedback.Builder) {
			b.Add("a", "x", 1, 0)
			b.Add("a", "y", 1, 0)
			b.Add("b", "z", 7, 0)
			sold(b)
		}),
		"no users": build(sold),
		"nothing":  build(func(*feedback.Builder) {}),
		// A past whose last users are empty, and items nobody chose.
		"a past": cftest.Shop(4, 80, 60, 500).Keep(func(x feedback.Entry) bool { return x.At < 30_000 }),
	}
}

func fitted(t *testing.T, d *feedback.Dataset, set Filter, n, workers int) (*spectrum, sparse.Rows) {
	t.Helper()
	s, err := newSpectrum(t.Context(), d, set.Factors, 5, workers, nil)
	if err != nil {
		t.Fatal(err)
	}
	m, err := Fit(t.Context(), d, set, n, 5, workers, nil)
	if err != nil {
		t.Fatal(err)
	}
	return s, m
}

func TestRowsAreTheFormula(t *testing.T) {
	for name, d := range shops() {
		for _, set := range []Filter{
			{Factors: 1000, LowPass: .25},
			{Factors: 1000, Exponent: .1, Sharpening: 1.5},
			{Factors: 1000, LowPass: .3, Exponent: .2, Sharpening: 2.5},
			{Factors: 1, LowPass: .5, Exponent: .1, Sharpening: 1},
			{Factors: 6, LowPass: .5, Sharpening: 2},
			{Factors: 7, LowPass: 1, Exponent: -.1, Sharpening: 3},
		} {
			t.Run(fmt.Sprint(name, ", ", set), func(t *testing.T) {
				s, got := fitted(t, d, set, 1000, 2)
				if got.Len() != d.Items() || got.Width != d.Items() {
					t.Fatalf("%d x %d, want %d items", got.Len(), got.Width, d.Items())
				}
				if d.Users() == 0 || d.Items() == 0 {
					if len(got.Columns) > 0 {
						t.Fatalf("%d entries of nothing", len(got.Columns))
					}
					return
				}
				want, values := oracle(d, set)
				for k, x := range s.values {
					if !cftest.Near(x, values[k], 1e-4) {
						t.Fatalf("eigenvalue %d is %g, want %g", k, x, values[k])
					}
				}
				if k := len(s.values); k > 0 && k < len(values) && s.values[k-1]-values[k] < 1e-4 {
					t.Skipf("value %d of %g is no end of a space: the next is %g", k, s.values[k-1], values[k])
				}
				for i := range d.Items() {
					for j := range d.Items() {
						if i == j {
							if x := got.At(int32(i), int32(i)); x != 0 {
								t.Fatalf("item %d speaks for itself by %g", i, x)
							}
						} else if x := float64(got.At(int32(i), int32(j))); math.Abs(x-want.At(i, j)) > 2e-5 || x-x != 0 {
							t.Fatalf("(%d, %d) is %g, want %g", i, j, x, want.At(i, j))
						}
					}
				}
			})
		}
	}
}

func TestRowsKeepTheStrongest(t *testing.T) {
	d, set := cftest.Shop(1, 60, 90, 900), Filter{Factors: 8, LowPass: .3, Exponent: .1, Sharpening: 2}
	_, all := fitted(t, d, set, 1000, 2)
	_, few := fitted(t, d, set, 5, 2)
	for i := range int32(d.Items()) {
		if columns, _ := few.Row(i); len(columns) != 5 {
			t.Fatalf("row %d has %d items", i, len(columns))
		}
	}
	cftest.KeepsTheStrongest(t, &few, &all)
}

func TestSameForAnyWorkers(t *testing.T) {
	d, set := cftest.Shop(3, 150, 300, 2000), Filter{Factors: 70, LowPass: .3, Exponent: .1, Sharpening: 2}
	cases := casesOf(d)
	var s0 *spectrum
	var rows0 sparse.Rows
	var trial0 []*eval.Measurement
	for workers := 1; workers <= 3; workers++ {
		s, m := fitted(t, d, set, 50, workers)
		results, err := s.newTrial(d, cases, eval.Protocol{K: 10}, workers).measure(t.Context(), blends(set), nil)
		if err != nil {
			t.Fatal(err)
		}
		if workers == 1 {
			s0, rows0, trial0 = s, m, results
			continue
		}
		if !reflect.DeepEqual(s0, s) || !reflect.DeepEqual(rows0, m) || !reflect.DeepEqual(trial0, results) {
			t.Fatalf("%d workers change the result", workers)
		}
	}
}

// casesOf asks for what the users of a dataset have, by all but a third of it.
func casesOf(d *feedback.Dataset) []eval.Case {
	var cases []eval.Case
	for user := range int32(d.Users()) {
		history, _ := d.HistoryOf(user)
		var c eval.Case
		for k, x := range history {
			if k%3 == 1 {
				c.Relevant = append(c.Relevant, x.Item)
			} else {
				c.History = append(c.History, x)
			}
		}
		slices.Sort(c.Relevant)
		cases = append(cases, c)
	}
	return append(cases, eval.Case{}, eval.Case{History: []feedback.Signal{
		{Item: -1, Weight: 1}, {Item: 1e6, Weight: 1}, {Item: 1, Weight: -1}, {Item: 2, Weight: float32(math.NaN())},
		{Item: 3, Weight: float32(math.Inf(1))}, {Item: 4, Weight: 2}, {Item: 4, Weight: 1},
	}, Relevant: []int32{5, 6}})
}

// summed is a ranker that adds the rows of the history up.
type summed struct {
	rows    sparse.Rows
	popular []sparse.Candidate
}

func (r summed) Items() int { return r.rows.Len() }

func (r summed) Popular() []sparse.Candidate { return r.popular }

func (r summed) Scorer() eval.Scorer { return r }

func (r summed) Score(history []feedback.Signal) []sparse.Candidate {
	var x feedback.Taste
	var sums sparse.Tally
	x.Read(history, r.Items(), 0)
	sums.Grow(r.Items())
	for k, item := range x.Items {
		columns, values := r.rows.Row(item)
		sums.AddRow(x.Values[k], columns, values)
	}
	return sums.Drain(nil)
}

func (r summed) ScoreItems(history []feedback.Signal, _ []int32) []sparse.Candidate {
	return r.Score(history)
}

// TestTrialIsTheSumOfRows: what a trial measures is what the sums of all rows reach.
func TestTrialIsTheSumOfRows(t *testing.T) {
	d := cftest.Shop(3, 150, 100, 2000)
	cases := casesOf(d)
	settings := []Filter{
		{Factors: 20, LowPass: .3, Exponent: .1, Sharpening: 2.5},
		{Factors: 20, LowPass: .3, Exponent: .1},
		{Factors: 20, LowPass: 0, Exponent: .2, Sharpening: 1},
		{Factors: 5, LowPass: 1, Exponent: 0, Sharpening: 1},
	}
	s, err := newSpectrum(t.Context(), d, 20, 0, 2, nil)
	if err != nil {
		t.Fatal(err)
	}
	got, err := s.newTrial(d, cases, eval.Protocol{K: 10}, 2).measure(t.Context(), settings, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i, set := range settings {
		m, err := s.rows(t.Context(), set, 1000, 2, nil)
		if err != nil {
			t.Fatal(err)
		}
		r := summed{rows: m, popular: s.newTrial(d, nil, eval.Protocol{}, 1).popular}
		want, err := eval.Measure(t.Context(), r, cases, eval.Protocol{K: 10}, 2, nil)
		if err != nil {
			t.Fatal(err)
		}
		for name, x := range want.Metrics {
			if !cftest.Near(got[i].Metrics[name], x, 1e-6) {
				t.Errorf("%v: %s is %g, want %g", set, name, got[i].Metrics[name], x)
			}
		}
	}
}

func TestChoose(t *testing.T) {
	d := cftest.Shop(3, 150, 100, 2000)
	cases, p := casesOf(d), eval.Protocol{K: 10, Cut: eval.CutRandom} // whose metric is recall
	var told []float64
	set, m, err := Choose(t.Context(), d, cases, p, 3, 2, func(x float64) { told = append(told, x) })
	if err != nil {
		t.Fatal(err)
	}
	for k, x := range told {
		if k > 0 && x < told[k-1] || x < 0 || x > 1 {
			t.Fatalf("progress %v", told)
		}
	}
	s, err := newSpectrum(t.Context(), d, 512, 3, 1, nil)
	if err != nil {
		t.Fatal(err)
	}
	tr := s.newTrial(d, cases, p, 1)
	for _, vary := range []func(Filter) []Filter{closeBlends} {
		results, err := tr.measure(t.Context(), vary(set), nil)
		if err != nil {
			t.Fatal(err)
		}
		for i, other := range results {
			if other.Metrics["recall@10"] > m.Metrics["recall@10"] {
				t.Errorf("%v reaches %g, %v that was chosen %g", vary(set)[i], other.Metrics["recall@10"], set, m.Metrics["recall@10"])
			}
		}
	}
	if _, _, err := Choose(t.Context(), d, cases, eval.Protocol{}, 0, 2, nil); err == nil {
		t.Error("no error for lists of 0")
	}
	if _, m, err := Choose(t.Context(), feedback.NewBuilder().Build(), nil, p, 0, 2, nil); err != nil || m == nil {
		t.Errorf("nothing to choose from: %v, %v", m, err)
	}
}

func TestCancelled(t *testing.T) {
	d, set := cftest.Shop(3, 150, 300, 2000), Filter{Factors: 70, LowPass: .3, Exponent: .1, Sharpening: 2}
	for name, run := range map[string]func(ctx context.Context, done func(float64)) error{
		"spectrum": func(ctx context.Context, done func(float64)) error {
			_, err := newSpectrum(ctx, d, 70, 0, 2, done)
			return err
		},
		"rows": func(ctx context.Context, done func(float64)) error {
			_, err := Fit(ctx, d, set, 10, 0, 2, done)
			return err
		},
		"choice": func(ctx context.Context, done func(float64)) error {
			_, _, err := Choose(ctx, d, casesOf(d), eval.Protocol{K: 5}, 0, 2, done)
			return err
		},
	} {
		for _, after := range []float64{0, .05, .5} {
			ctx, cancel := context.WithCancel(t.Context())
			if after == 0 {
				cancel()
			}
			err := run(ctx, func(x float64) {
				if x >= after {
					cancel()
				}
			})
			if !errors.Is(err, context.Canceled) {
				t.Errorf("%s cancelled after %g: %v", name, after, err)
			}
			cancel()
		}
	}
}

// TestFilterOfNoFactors has one, whatever less it is told.
func TestFilterOfNoFactors(t *testing.T) {
	for _, factors := range []int{math.MinInt, -1, 0} {
		m, err := Fit(t.Context(), cftest.Shop(7, 80, 40, 900), Filter{Factors: factors, LowPass: 1}, 8, 0, 2, nil)
		if err != nil || slices.ContainsFunc(m.Values, func(x float32) bool { return x-x != 0 }) {
			t.Errorf("%d factors: %v", factors, err)
		}
	}
}
