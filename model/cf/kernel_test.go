package cf

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/attune-shop/attune/model/cf/feedback"
	"github.com/attune-shop/attune/model/cf/linear"
	"github.com/attune-shop/attune/model/cf/sequence"
	"github.com/attune-shop/attune/model/cf/sparse"
	"github.com/attune-shop/attune/model/dense"
)

// BenchmarkKernel measures Score alone, which is what a request spends in the model: the median
// and the 99th percentile of single calls, the bytes that a call cannot do without (kernelBytes),
// and how fast it reads them, beside how fast one core reads memory in the same run.
//
// Catalogs are generated: popularity is Zipf's, visitors mostly stay with one shelf, and events
// come in visits of eight. Linear rows are EASE's up to easeItems, and 400 neighbours above. Calls
// are for 64 visitors in turn, so that what one reads is seldom in the nearest cache for the next.
func BenchmarkKernel(b *testing.B) {
	memory := readMemory()
	for _, items := range []int{1000, 10_000, 50_000, 500_000} {
		b.Run(fmt.Sprintf("items=%d", items), func(b *testing.B) {
			shop := newKernelShop(b, items)
			for _, length := range []int{20, 256} {
				histories := shop.histories(length)
				for _, s := range shop.models() {
					b.Run(fmt.Sprintf("history=%d/%s", length, s.algorithm), func(b *testing.B) {
						kernel(b, s, histories, memory)
					})
				}
			}
		})
	}
}

// kernel measures one model; memory is the bytes a second that one core reads.
func kernel(b *testing.B, s *Snapshot, histories [][]feedback.Signal, memory float64) {
	var sc Scratch
	for _, history := range histories {
		s.Score(history, &sc)
	}
	var took []time.Duration
	for n := 0; b.Loop(); n++ {
		began := time.Now()
		s.Score(histories[n%len(histories)], &sc)
		took = append(took, time.Since(began))
	}
	bytes := 0
	for _, history := range histories {
		bytes += s.kernelBytes(history)
	}
	slices.Sort(took)
	quantile := func(q float64) float64 { return took[int(q*float64(len(took)-1))].Seconds() }
	each := float64(bytes) / float64(len(histories))
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(1e6*quantile(.5), "µs-p50")
	b.ReportMetric(1e6*quantile(.99), "µs-p99")
	b.ReportMetric(each/1e3, "KB/op")
	b.ReportMetric(each/quantile(.5)/1e9, "GB/s")
	b.ReportMetric(100*each/quantile(.5)/memory, "%memory")
}

// readMemory returns the bytes a second that one core reads: the best of some passes over a buffer
// that no cache holds.
func readMemory() float64 {
	const size, passes = 512 << 20, 8
	buffer := make([]float32, size/4)
	for i := range buffer {
		buffer[i] = 1
	}
	best := 0.
	for range passes {
		began := time.Now()
		half := len(buffer) / 2
		if dense.Dot(buffer[:half], buffer[half:]) > 0 {
			best = max(best, size/time.Since(began).Seconds())
		}
	}
	return best
}

// kernelBytes is what a call reads at the least, everything once: of linear models the entries of
// the history's rows and a sum for each, of whole rows their values; of ALS the factors of the history and of what is scored,
// and the matrix that all systems have in common; of a blend that of its parts, the moves of the
// trail and the moments of its items.
func (s *Snapshot) kernelBytes(history []feedback.Signal) int {
	const entry, sum, number = 8, 4, 4
	var t feedback.Taste
	t.Read(history, len(s.itemIDs), s.settings.Fade)
	rowBytes := func(m *sparse.Rows, items []int32) (bytes int) {
		for _, item := range items {
			columns, _ := m.Row(item)
			if len(columns) == m.Width { // columns are not read, and sums stay in the nearest cache
				bytes += len(columns) * number
				continue
			}
			bytes += len(columns) * (entry + sum)
		}
		return bytes
	}
	rank := s.factors.Cols
	fold := (len(t.Items) + rank) * rank * number
	var sc Scratch
	scored := len(s.Score(history, &sc)) * rank * number
	switch s.algorithm {
	case EASE:
		return rowBytes(&s.linear, t.Items)
	case ItemKNN:
		return rowBytes(&s.similar, t.Items)
	case ALS:
		return fold + scored
	}
	bytes := fold + scored + rowBytes(&s.linear, t.Items) + rowBytes(&s.similar, t.Items)
	s.blend.sequence.EachRow(t.Trail, func(m *sparse.Rows, items []int32) { bytes += rowBytes(m, items) })
	return bytes
}

// kernelShop is a generated shop and a blend that was fitted to it.
type kernelShop struct {
	random           *rand.Rand
	all, shelf       *rand.Zipf
	items, shelfSize int
	blend            *Snapshot
}

// easeItems is the largest catalog that EASE is fitted to here.
const easeItems = 10_000

func newKernelShop(b *testing.B, items int) *kernelShop {
	b.Helper()
	const shelfSize, events = 200, 40
	random := rand.New(rand.NewPCG(1, uint64(items)))
	shop := &kernelShop{
		random: random, items: items, shelfSize: shelfSize,
		all: rand.NewZipf(random, 1.05, 10, uint64(items-1)), shelf: rand.NewZipf(random, 1.05, 10, shelfSize-1),
	}
	build := feedback.NewBuilder()
	for user := range min(items/2, 50_000) {
		shop.visits(events, func(item int, at int64) {
			build.Add(fmt.Sprint(user), kernelItem(item), 1, at+int64(user))
		})
	}
	for item := range items { // so that the model knows all of them
		build.AddBasket([]string{kernelItem(item)})
	}
	d := build.Build()
	plan := Plan{Algorithm: Blend, sequenced: true, Parts: []Part{{Algorithm: ItemKNN}, {Algorithm: ALS, Settings: Settings{Lambda: 4}}}}
	if items <= easeItems {
		plan.Parts = append(plan.Parts, Part{Algorithm: EASE, Settings: Settings{Lambda: 100}})
	}
	parts := len(plan.Parts) + (&sequence.Model{}).Parts()
	plan.shares = evenShares[float32](parts)
	for k := range plan.weights {
		plan.weights[k] = evenShares[float32](1 + parts + commonFeatures)
	}
	var err error
	if shop.blend, err = Fit(b.Context(), d, plan, Options{Iterations: 1, Seed: 1}, nil); err != nil {
		b.Fatal(err)
	}
	if items > easeItems {
		if shop.blend.linear, err = linear.Neighbours(b.Context(), d, 400, 2, nil); err != nil {
			b.Fatal(err)
		}
		s := shop.blend.blend
		s.base = append(s.base, EASE)
		s.shares = evenShares[float32](s.parts())
		for k := range s.weights {
			s.weights[k] = evenShares[float32](s.features())
		}
	}
	return shop
}

func kernelItem(item int) string { return fmt.Sprintf("item-%06d", item) }

// visits makes the events of a visitor, oldest first, in visits of eight that are a day apart.
func (k *kernelShop) visits(events int, visit func(item int, at int64)) {
	taste := k.random.IntN(k.items / k.shelfSize)
	for n := range events {
		rank := int(k.all.Uint64())
		if k.random.IntN(5) > 0 {
			rank = taste + int(k.shelf.Uint64())*(k.items/k.shelfSize)
		}
		// Numbers say nothing of popularity, as in a shop: 999,983 is a prime.
		visit(rank*999_983%k.items, int64(n/8)*24*3600+int64(n%8)*60)
	}
}

// histories are those of 64 visitors.
func (k *kernelShop) histories(length int) [][]feedback.Signal {
	all := make([][]feedback.Signal, 64)
	for v := range all {
		k.visits(length, func(item int, at int64) {
			i, _ := k.blend.Index(kernelItem(item))
			all[v] = append(all[v], feedback.Signal{Item: i, Weight: 1, At: at})
		})
	}
	return all
}

// models are the parts of the blend alone, and the blend.
func (k *kernelShop) models() []*Snapshot {
	var all []*Snapshot
	for _, algorithm := range []string{EASE, ItemKNN, ALS} {
		part := *k.blend
		part.algorithm, part.blend = algorithm, nil
		all = append(all, part.derive())
	}
	return append(all, k.blend)
}
