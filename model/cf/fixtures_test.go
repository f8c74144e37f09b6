package cf

import (
	"bufio"
	"cmp"
	"compress/gzip"
	"errors"
	"io/fs"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"gonum.org/v1/gonum/mat"

	"github.com/attune-shop/attune/model/cf/sparse"
)

// shop makes a small random dataset: users x items interactions with repeats, and baskets.
func shop(seed uint64, users, items, interactions int) *Dataset {
	random := rand.New(rand.NewPCG(seed, 0))
	b := NewBuilder()
	for range interactions {
		u := random.IntN(users)
		i := (u*3 + random.IntN(items)*random.IntN(items)/items) % items
		b.Add(name("u", u), name("i", i), float32(1+random.IntN(3)), int64(1000+random.IntN(100000)))
	}
	for range interactions / 4 {
		basket := make([]string, 1+random.IntN(5))
		for k := range basket {
			basket[k] = name("i", random.IntN(items))
		}
		b.AddBasket(basket)
	}
	return b.Build()
}

func name(kind string, i int) string {
	return kind + string(rune('a'+i/676%26)) + string(rune('a'+i/26%26)) + string(rune('a'+i%26))
}

// matrixOf is the users x items matrix of damped weights, from the log alone.
func matrixOf(d *Dataset) *mat.Dense {
	sum := mat.NewDense(d.Users(), d.Items(), nil)
	for _, x := range d.entries() {
		sum.Set(int(x.user), int(x.item), sum.At(int(x.user), int(x.item))+float64(x.weight))
	}
	sum.Apply(func(_, _ int, w float64) float64 { return math.Log2(1 + w) }, sum)
	return sum
}

func near(a, b, tolerance float64) bool {
	return math.Abs(a-b) <= tolerance*math.Max(1, math.Max(math.Abs(a), math.Abs(b)))
}

// keepsTheStrongest holds rows to be the strongest entries of all, as they are there.
func keepsTheStrongest(t *testing.T, few, all *sparse.Rows) {
	t.Helper()
	for i := range int32(few.Len()) {
		columns, values := few.Row(i)
		least := math.Inf(1)
		for k, c := range columns {
			if values[k] != all.At(i, c) {
				t.Fatalf("row %d changed", i)
			}
			least = min(least, math.Abs(float64(values[k])))
		}
		others, sizes := all.Row(i)
		for k, c := range others {
			if few.At(i, c) == 0 && math.Abs(float64(sizes[k])) > least {
				t.Fatalf("row %d left %g out and kept %g", i, sizes[k], least)
			}
		}
	}
}

// walks makes a small random dataset of users who go from item to item, at times after a pause.
func walks(seed uint64, users, items, clicks int) *Dataset {
	random := rand.New(rand.NewPCG(seed, 0))
	b := NewBuilder()
	for u := range users {
		at, item := int64(random.IntN(5*visitGap)), random.IntN(items)
		for range clicks {
			b.Add(name("u", u), name("i", item), 1, at)
			if random.IntN(6) == 0 {
				at += visitGap
			}
			at += int64(random.IntN(4))
			item = (item + random.IntN(5)*random.IntN(5)/4) % items
		}
	}
	return b.Build()
}

// trips are the datasets that every part is held to its formula on.
func trips() map[string]*Dataset {
	robot, one, click := NewBuilder(), NewBuilder(), NewBuilder()
	for at := range int64(5000) {
		robot.Add("robot", "a", 1, at)
	}
	for at, item := range []string{"a", "b", "a", "a", "c"} {
		one.Add("one", item, 1, int64(at))
	}
	click.Add("one", "a", 1, 7)
	return map[string]*Dataset{
		"none":      NewBuilder().Build(),
		"one click": click.Build(),
		"one visit": one.Build(),
		"one item":  walks(1, 9, 1, 20),
		"robot":     robot.Build(),
		"few items": walks(2, 12, 6, 40),
		"walks":     walks(3, 60, 80, 60),
	}
}

// trailsOf are random trails through a dataset, and unknown items.
func trailsOf(d *Dataset) [][]int32 {
	random := rand.New(rand.NewPCG(4, 0))
	all := [][]int32{nil, {-1}, {int32(d.Items())}, {-1, 0, math.MaxInt32, 0}}
	for range 40 {
		trail := make([]int32, 1+random.IntN(14))
		item := random.IntN(d.Items() + 1)
		for k := range trail {
			trail[k] = int32(item)
			item = (item + d.Items() - random.IntN(3)) % (d.Items() + 1)
		}
		all = append(all, trail)
	}
	return all
}

// holdTally compares sums to what they must be, each to one part in ten thousand, and empties t.
func holdTally(t *testing.T, got *sparse.Tally, want map[int32]float64) {
	t.Helper()
	for j, x := range got.Sum {
		if math.Abs(float64(x)-want[int32(j)]) > 1e-4*want[int32(j)]+1e-7 {
			t.Fatalf("item %d scores %g, want %g", j, x, want[int32(j)])
		}
		if touched := slices.Contains(got.Touched, int32(j)); touched != (x != 0) {
			t.Fatalf("item %d scores %g, touched: %v", j, x, touched)
		}
	}
	touched := slices.Clone(got.Touched)
	slices.Sort(touched)
	if len(slices.Compact(touched)) != len(got.Touched) {
		t.Fatal("touched twice")
	}
	got.Reset()
	if len(got.Touched) > 0 || slices.ContainsFunc(got.Sum, func(x float32) bool { return x != 0 }) {
		t.Fatal("not empty after a reset")
	}
}

// dataLines calls fn for the lines of a file of a public data set, and skips the test where that
// is not there.
func dataLines(t *testing.T, set, name string, fn func(line string)) {
	t.Helper()
	dir := cmp.Or(os.Getenv("ATTUNE_TEST_DATA"), "../../../shared/data")
	file, err := os.Open(filepath.Join(dir, set, name))
	if errors.Is(err, fs.ErrNotExist) {
		t.Skipf("no %s in %s; set ATTUNE_TEST_DATA to the folder that holds %s/", name, dir, set)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	unzipped, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(unzipped)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		fn(lines.Text())
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
}
