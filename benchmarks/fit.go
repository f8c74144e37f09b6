package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"time"

	"golang.org/x/sync/errgroup"
	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas32"

	"github.com/attune-shop/attune/model/cf"
	"github.com/attune-shop/attune/model/cf/feedback"
	"github.com/attune-shop/attune/model/dense"
)

type fitBench struct {
	Data   string `help:"Folder that holds gowalla/ and movielens-100k/." default:"../shared/data" type:"path"`
	Items  int    `help:"The most popular items of Gowalla that EASE is fitted to." default:"10000"`
	Order  int    `help:"Rows and columns of the matrices that are multiplied." default:"4000"`
	Rounds int    `help:"How often all is measured, one after the other; the medians are printed." default:"5"`
}

// Run fits ALS and EASE as Attune does and as implicit, numpy and LAPACK do, in turns, and
// prints the medians, and what share of the machine's peak the products and inverses reach.
func (b *fitBench) Run(ctx context.Context) error {
	gowalla := filepath.Join(b.Data, "gowalla", "train.txt.gz")
	if _, err := os.Stat(gowalla); err != nil {
		return fmt.Errorf("--data names no folder with gowalla/train.txt.gz and movielens-100k/u.data.gz: %w", err)
	}
	all, err := readBaskets(gowalla)
	if err != nil {
		return err
	}
	films, err := readRatings(filepath.Join(b.Data, "movielens-100k", "u.data.gz"))
	if err != nil {
		return err
	}
	others, err := startPeers(ctx, gowalla, strconv.Itoa(b.Items))
	if err != nil {
		fmt.Fprintf(os.Stderr, "without implicit, numpy and scipy: %v\n", err)
	} else {
		defer func() { _ = others.stop() }()
	}
	m := measurements{}
	for range b.Rounds {
		if err := b.round(ctx, m, all, films, others); err != nil {
			return err
		}
	}
	b.print(m)
	return nil
}

// measurements are seconds by what took them, and multiplications and additions a second
// under peakRate.
type measurements map[string][]float64

// peakRate is the one of which the greatest counts: it is a bound, whatever else the machine does.
const peakRate = "peak"

func (m measurements) add(name string, x float64) { m[name] = append(m[name], x) }

// median is 0 where nothing was measured.
func (m measurements) median(name string) float64 {
	all := slices.Sorted(slices.Values(m[name]))
	if len(all) == 0 {
		return 0
	}
	return all[len(all)/2]
}

// round measures everything once, each of ours beside its peers.
func (b *fitBench) round(ctx context.Context, m measurements, all, films [][]int, others *peers) error {
	m.add(peakRate, peak())
	peer := func(what string, names ...string) error {
		if others == nil {
			return nil
		}
		seconds, err := others.seconds(what)
		if err != nil {
			return err
		}
		for k, name := range names {
			m.add(name, seconds[k])
		}
		return nil
	}
	for _, factors := range []int{64, 128} {
		ours, err := epoch(ctx, dataset(all, nil), factors)
		if err != nil {
			return err
		}
		m.add(fmt.Sprintf("als %d", factors), ours)
		if err := peer(fmt.Sprintf("als %d", factors), fmt.Sprintf("implicit %d", factors)); err != nil {
			return err
		}
	}
	ours, err := multiplication(ctx, b.Order)
	if err != nil {
		return err
	}
	m.add("multiply", ours)
	if err := peer(fmt.Sprintf("multiply %d", b.Order), "numpy multiply"); err != nil {
		return err
	}
	few := mostPopular(all, b.Items)
	if ours, err = inversion(ctx, gram(all, few)); err != nil {
		return err
	}
	m.add("invert", ours)
	if err := peer("potri", "potri invert", "potri ease"); err != nil {
		return err
	}
	if ours, err = easeFit(ctx, dataset(all, few), b.Items); err != nil {
		return err
	}
	m.add("ease", ours)
	if err := peer("inv32", "inv32 invert", "inv32 ease"); err != nil {
		return err
	}
	if err := peer("inv64", "inv64 invert", "inv64 ease"); err != nil {
		return err
	}
	if ours, err = easeFit(ctx, dataset(films, nil), b.Items); err != nil {
		return err
	}
	m.add("films", ours)
	return nil
}

// print shows ours beside each peer's, and the rates.
func (b *fitBench) print(m measurements) {
	fmt.Printf("Medians of %d, in seconds, %d cores\n%-44s %9s %9s %9s\n", b.Rounds, runtime.GOMAXPROCS(0), "", "Attune", "peer", "ratio")
	type peer struct{ key, name string }
	lines := func(what, ours string, peers ...peer) {
		x, compared := m.median(ours), false
		for _, p := range peers {
			if y := m.median(p.key); y > 0 {
				fmt.Printf("%-44s %9.3f %9.3f %8.2fx\n", what+": "+p.name, x, y, x/y)
				compared = true
			}
		}
		if !compared {
			fmt.Printf("%-44s %9.3f %9s\n", what, x, "-")
		}
	}
	for _, k := range []string{"64", "128"} {
		lines("ALS epoch, Gowalla, "+k+" factors", "als "+k, peer{"implicit " + k, "implicit"})
	}
	for _, part := range []struct{ name, key string }{{"inverse", "invert"}, {"EASE", "ease"}} {
		lines(fmt.Sprintf("%s, %d items", part.name, b.Items), part.key, peer{"potri " + part.key, "spotrf and spotri"},
			peer{"inv32 " + part.key, "numpy inv, float32"}, peer{"inv64 " + part.key, "numpy inv, float64"})
	}
	lines(fmt.Sprintf("product, %d x %d", b.Order, b.Order), "multiply", peer{"numpy multiply", "numpy"})
	lines("EASE, MovieLens-100k", "films")
	peak := slices.Max(m[peakRate])
	n, k := float64(b.Items), float64(b.Order)
	fmt.Printf("%-44s %9.0f\n", "peak, GFLOP/s", peak/1e9)
	for _, rate := range []struct {
		what, key string
		flops     float64
	}{
		{"our product", "multiply", 2 * k * k * k}, {"numpy's product", "numpy multiply", 2 * k * k * k},
		{"our inverse, n^3 operations", "invert", n * n * n}, {"spotrf and spotri, n^3 operations", "potri invert", n * n * n},
	} {
		if x := m.median(rate.key); x > 0 {
			fmt.Printf("%-44s %9.0f %9s %7.0f%%\n", rate.what+", GFLOP/s", rate.flops/x/1e9, "of peak", 100*rate.flops/x/peak)
		}
	}
}

// peak measures multiplications and additions a second in registers, on all cores.
func peak() float64 {
	const turns = 20_000_000
	began := time.Now()
	var group errgroup.Group
	cores := runtime.GOMAXPROCS(0)
	for range cores {
		group.Go(func() error { dense.Spin(turns); return nil })
	}
	_ = group.Wait()
	return float64(2*cores*dense.Spin(1)*turns) / time.Since(began).Seconds()
}

// multiplication measures a product of two n x n matrices.
func multiplication(ctx context.Context, n int) (float64, error) {
	random := rand.New(rand.NewPCG(1, 0))
	x, y := square(n), square(n)
	for i := range x.Data {
		x.Data[i] = random.Float32()
	}
	began := time.Now()
	err := dense.Gemm(ctx, blas.NoTrans, blas.NoTrans, 1, x, x, y, runtime.GOMAXPROCS(0), nil)
	return time.Since(began).Seconds(), err
}

// inversion measures the inverse of a.
func inversion(ctx context.Context, a blas32.General) (float64, error) {
	began := time.Now()
	err := dense.Invert(ctx, a, runtime.GOMAXPROCS(0), nil)
	return time.Since(began).Seconds(), err
}

func square(n int) blas32.General {
	return blas32.General{Rows: n, Cols: n, Stride: n, Data: make([]float32, n*n)}
}

// easeLambda is what EASE adds to the diagonal, here and in peers.py.
const easeLambda = 300

// easeFit measures the fit of EASE, without the lists that every model has.
func easeFit(ctx context.Context, d *feedback.Dataset, most int) (float64, error) {
	var t timing
	_, err := cf.Fit(ctx, d, cf.Plan{Algorithm: cf.EASE, Settings: cf.Settings{Lambda: easeLambda}}, cf.Options{EASEMaxItems: max(most, d.Items())}, t.note(cf.EASE, 0))
	return t.seconds(), err
}

// epoch measures an epoch of ALS: the mean of all but the first.
func epoch(ctx context.Context, d *feedback.Dataset, factors int) (float64, error) {
	const epochs = 4
	var t timing
	_, err := cf.Fit(ctx, d, cf.Plan{Algorithm: cf.ALS, Settings: cf.Settings{Lambda: 4}}, cf.Options{Factors: factors, Iterations: epochs, Seed: 1}, t.note(cf.ALS, 1./epochs))
	return t.seconds() / (epochs - 1), err
}

// timing measures a part of a fit by its progress.
type timing struct{ began, ended time.Time }

// note returns a Progress that takes the time from when a share of the algorithm's own part
// is done to its end.
func (t *timing) note(algorithm string, share float64) cf.Progress {
	first := -1.
	return func(done float64, message string) {
		switch {
		case message != algorithm:
			t.began, first = time.Now(), done
		case done < first+(1-first)*share+1e-9:
			t.began = time.Now()
		}
		t.ended = time.Now()
	}
}

func (t *timing) seconds() float64 { return t.ended.Sub(t.began).Seconds() }
