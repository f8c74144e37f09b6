package spectral

import (
	"fmt"
	"testing"

	"github.com/attune-shop/attune/model/cf/cftest"
	"github.com/attune-shop/attune/model/dense"
)

// BenchmarkFilter multiplies blocks of columns with P, of as many users and items as Gowalla.
func BenchmarkFilter(b *testing.B) {
	d := cftest.Shop(1, 17_000, 17_000, 800_000)
	s, err := newSpectrum(b.Context(), d, 1, 0, 2, nil)
	if err != nil {
		b.Fatal(err)
	}
	for _, columns := range []int{16, 32, 64, 128} {
		b.Run(fmt.Sprint(columns), func(b *testing.B) {
			m := &blocks{dense.Zeros(d.Items(), columns), dense.Zeros(d.Items(), columns), dense.Zeros(d.Users(), columns)}
			for i := range m.y.Data {
				m.y.Data[i] = float32(i % 7)
			}
			for b.Loop() {
				if err := s.apply(b.Context(), m); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(2*len(d.ByUser().Columns)*columns)*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFMA/s")
		})
	}
}
