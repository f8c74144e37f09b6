package sequence

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/attune-shop/attune/model/cf/cftest"
	"github.com/attune-shop/attune/model/cf/feedback"
	"github.com/attune-shop/attune/model/cf/sparse"
)

// yoochoose calls fn for the lines of one part of Yoochoose 1/64.
func yoochoose(t *testing.T, name string, fn func(line string)) {
	t.Helper()
	cftest.Lines(t, "yoochoose64", name, fn)
}

// sessions are the training sessions of Yoochoose, hours apart, and one in every few of the
// trails of later ones with what came next, below 0 where it is not known.
func sessions(t *testing.T, every int) (d *feedback.Dataset, trails [][]int32, nexts []int32) {
	t.Helper()
	b, n := feedback.NewBuilder(), int64(0)
	yoochoose(t, "train_sessions.txt.gz", func(line string) {
		for place, item := range strings.Fields(line) {
			b.Add(strconv.FormatInt(n, 10), item, 1, n*7200+int64(place))
		}
		n++
	})
	d = b.Build()
	line := 0
	yoochoose(t, "test_examples.tsv.gz", func(text string) {
		if line++; line%every != 0 {
			return
		}
		prefix, next, _ := strings.Cut(text, "\t")
		var trail []int32
		items := strings.Fields(prefix)
		for k := len(items) - 1; k >= 0; k-- {
			if i, ok := d.Index(items[k]); ok {
				trail = append(trail, i)
			}
		}
		i, ok := d.Index(next)
		if !ok {
			i = -1
		}
		trails, nexts = append(trails, trail), append(nexts, i)
	})
	return d, trails, nexts
}

// next20 returns HR@20 and MRR@20 of a part's scores alone, all items ranked, those of the same
// score by their number, and the time that a score takes.
func next20(items int, trails [][]int32, nexts []int32, score func(trail []int32, t *sparse.Tally)) (hr, mrr float64, each time.Duration) {
	var t sparse.Tally
	t.Grow(items)
	start := time.Now()
	for _, trail := range trails {
		score(trail, &t)
		t.Reset()
	}
	each = time.Since(start) / time.Duration(len(trails))
	for n, trail := range trails {
		score(trail, &t)
		if next := nexts[n]; next >= 0 && t.Sum[next] > 0 {
			rank := 1.
			for _, j := range t.Touched {
				if t.Sum[j] > t.Sum[next] || t.Sum[j] == t.Sum[next] && j < next {
					rank++
				}
			}
			if rank <= 20 {
				hr++
				mrr += 1 / rank
			}
		}
		t.Reset()
	}
	n := float64(len(trails))
	return hr / n, mrr / n, each
}

// TestYoochoose holds the parts, each alone, to what they reach on the lines looked at; a Markov
// chain has .648 and .298, and the best published there is .706 and .309.
func TestYoochoose(t *testing.T) {
	d, trails, nexts := sessions(t, 10)
	v := visitsOf(d)
	at := placesOf(&v, d.Items())
	count := func(k moving) Moves {
		m, err := k.count(t.Context(), &v, &at, 2, nil)
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	near := count(moving{reach: .7, shrink: 1, width: 200})
	both := count(moving{direction: around, reach: 3, shrink: 1, width: 200})
	hops, err := near.twice(t.Context(), 2, nil)
	if err != nil {
		t.Fatal(err)
	}
	memory := recallOf(v, d.Items(), recalling{decay: 1.5, power: 4, future: .5, moments: 2000})
	var rc Scratch
	for _, test := range []struct {
		part    string
		hr, mrr float64
		score   func(trail []int32, t *sparse.Tally)
	}{
		{"moves", .68, .29, func(trail []int32, t *sparse.Tally) { near.score(trail, 1.5, 20, t) }},
		{"moves around", .68, .28, func(trail []int32, t *sparse.Tally) { both.score(trail, 1.5, 20, t) }},
		{"two hops", .67, .26, func(trail []int32, t *sparse.Tally) { hops.score(trail, 1, 20, t) }},
		{"recall", .66, .295, func(trail []int32, t *sparse.Tally) { memory.score(trail, &rc, t) }},
	} {
		hr, mrr, each := next20(d.Items(), trails, nexts, test.score)
		t.Logf("%-14s HR@20 %.4f  MRR@20 %.4f  %v a trail", test.part, hr, mrr, each)
		if hr < test.hr || mrr < test.mrr {
			t.Errorf("%s: HR@20 %.4f and MRR@20 %.4f, want at least %.3f and %.3f", test.part, hr, mrr, test.hr, test.mrr)
		}
	}
}
