package cf

import (
	"math/rand/v2"
	"testing"

	"github.com/attune-shop/attune/model/cf/cftest"
	"github.com/attune-shop/attune/model/cf/feedback"
	"github.com/attune-shop/attune/model/cf/sparse"
	"github.com/attune-shop/attune/model/dense"
)

// largeShop is a Snapshot of 50,000 items with full rows and 64 factors.
func largeShop(algorithm string) (*Snapshot, []feedback.Signal) {
	const items, width, rank = 50_000, 200, 64
	random := rand.New(rand.NewPCG(1, 0))
	s := &Snapshot{algorithm: algorithm}
	parts := make([][]Candidate, items)
	for i := range items {
		s.itemIDs = append(s.itemIDs, cftest.Name("i", i))
		s.popular = append(s.popular, random.Float32())
		for k := range width {
			parts[i] = append(parts[i], Candidate{Item: int32(k*items/width + random.IntN(items/width)), Score: random.Float32()})
		}
	}
	s.linear = sparse.Join(parts, items)
	for i := range parts {
		parts[i] = parts[i][:100]
	}
	s.similar = sparse.Join(parts, items)
	s.factors = dense.Zeros(items, rank)
	for i := range s.factors.Data {
		s.factors.Data[i] = float32(random.NormFloat64())
	}
	s.penalty = newPenalty(4, items)
	var history []feedback.Signal
	for range 200 {
		history = append(history, feedback.Signal{Item: int32(random.IntN(items)), Weight: 5 * random.Float32()})
	}
	return s.derive(), history
}

func BenchmarkScore(b *testing.B) {
	for _, algorithm := range []string{EASE, ItemKNN, ALS} {
		s, history := largeShop(algorithm)
		b.Run(algorithm, func(b *testing.B) {
			var sc Scratch
			b.ReportAllocs()
			for b.Loop() {
				s.Score(history, &sc)
			}
		})
	}
}

// BenchmarkExplain explains a list of 20.
func BenchmarkExplain(b *testing.B) {
	for _, algorithm := range []string{EASE, ALS} {
		s, history := largeShop(algorithm)
		b.Run(algorithm, func(b *testing.B) {
			for b.Loop() {
				explain := s.Explainer(history)
				for i := range int32(20) {
					explain(i)
				}
			}
		})
	}
}
