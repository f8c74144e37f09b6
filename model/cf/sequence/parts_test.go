package sequence

import (
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/attune-shop/attune/model/cf/cftest"
	"github.com/attune-shop/attune/model/cf/feedback"
	"github.com/attune-shop/attune/model/cf/sparse"
)

func TestPartsDoNotDependOnWorkers(t *testing.T) {
	for name, d := range cftest.Trips() {
		var want []any
		for _, workers := range []int{1, 2, 3} {
			v := visitsOf(d)
			at := placesOf(&v, d.Items())
			got := []any{v}
			var last float64
			done := func(share float64) {
				if share < last || share > 1 {
					t.Errorf("%s: %g is done after %g", name, share, last)
				}
				last = share
			}
			for _, k := range movings {
				last = 0
				m, err := k.count(t.Context(), &v, &at, workers, done)
				if err != nil {
					t.Fatal(err)
				}
				last = 0
				two, err := m.twice(t.Context(), workers, done)
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, m, two)
			}
			if want == nil {
				want = got
			}
			if !reflect.DeepEqual(got, want) {
				t.Fatalf("%s: other parts by %d workers", name, workers)
			}
		}
	}
}

// parts of one dataset, and the memory to score with.
type parts struct {
	moves  Moves
	recall recall
	rc     Scratch
	sums   sparse.Tally
}

func newParts(t testing.TB, d *feedback.Dataset) *parts {
	t.Helper()
	var p parts
	var err error
	v := visitsOf(d)
	at := placesOf(&v, d.Items())
	if p.moves, err = (moving{reach: .7, shrink: 1, width: 200}).count(t.Context(), &v, &at, 2, nil); err != nil {
		t.Fatal(err)
	}
	p.recall = recallOf(v, d.Items(), recalling{decay: 1.5, power: 4, future: .5, moments: 2000})
	p.sums.Grow(d.Items())
	return &p
}

// scores are the parts by name.
func (p *parts) scores() map[string]func(trail []int32) {
	return map[string]func(trail []int32){
		"moves":  func(trail []int32) { p.moves.score(trail, 1.5, 20, &p.sums) },
		"recall": func(trail []int32) { p.recall.score(trail, &p.rc, &p.sums) },
	}
}

func TestPartsScoreWithoutAllocating(t *testing.T) {
	d := cftest.Walks(3, 60, 80, 60)
	p := newParts(t, d)
	trails := cftest.TrailsOf(d)
	for name, score := range p.scores() {
		if n := testing.AllocsPerRun(3, func() {
			for _, trail := range trails {
				score(trail)
				p.sums.Reset()
			}
		}); n != 0 {
			t.Errorf("%s: %g allocations", name, n)
		}
	}
}

// BenchmarkParts scores a trail of ten in a shop of 17,000 items and 1,000,000 interactions, by
// each part, with popular items as popular as they are.
func BenchmarkParts(b *testing.B) {
	const items = 17_000
	random := rand.New(rand.NewPCG(1, 0))
	zipf := rand.NewZipf(random, 1.2, 20, items-1)
	build := feedback.NewBuilder()
	walk := func(n int, visit func(item int)) {
		item := int(zipf.Uint64())
		for range n {
			visit(item)
			if random.IntN(3) == 0 {
				item = int(zipf.Uint64())
			} else {
				item = (item + random.IntN(10)*random.IntN(10)) % items
			}
		}
	}
	for u := range 200_000 {
		at := int64(u * 10)
		walk(5, func(item int) {
			build.Add(cftest.Name("u", u/1000)+cftest.Name("u", u%1000), cftest.Name("i", item), 1, at)
			at++
		})
	}
	d := build.Build()
	p := newParts(b, d)
	trails := make([][]int32, 1000)
	for k := range trails {
		walk(10, func(item int) {
			if i, ok := d.Index(cftest.Name("i", item)); ok {
				trails[k] = append(trails[k], i)
			}
		})
	}
	for part, score := range p.scores() {
		b.Run(part, func(b *testing.B) {
			b.ReportAllocs()
			for n := 0; b.Loop(); n++ {
				score(trails[n%len(trails)])
				p.sums.Reset()
			}
		})
	}
}
