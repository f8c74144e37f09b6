package dense

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/blas"
)

func BenchmarkGemm(b *testing.B) {
	for _, n := range []int{1000, 4000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			x, y := Zeros(n, n), Zeros(n, n)
			fill(x, rand.New(rand.NewPCG(1, 1)))
			for b.Loop() {
				if err := Gemm(b.Context(), blas.NoTrans, blas.NoTrans, 1, x, x, y, 2, nil); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(2*float64(n)*float64(n)*float64(n)*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
		})
	}
}

func BenchmarkInvert(b *testing.B) {
	for _, n := range []int{1000, 4000, 10000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			a := Zeros(n, n)
			for b.Loop() {
				b.StopTimer()
				fill(a, rand.New(rand.NewPCG(1, 1)))
				for i := range n {
					a.Data[i*n+i] += float32(n)
				}
				b.StartTimer()
				if err := Invert(b.Context(), a, 2, nil); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(n)*float64(n)*float64(n)*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
		})
	}
}
