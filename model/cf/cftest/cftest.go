// Package cftest has the datasets that the packages of collaborative filtering are tested on, and what
// holds their results to formulas, which tests write out densely and naively.
package cftest

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
	"runtime"
	"slices"
	"testing"

	"gonum.org/v1/gonum/mat"

	"github.com/attune-shop/attune/model/cf/feedback"
	"github.com/attune-shop/attune/model/cf/sparse"
)

// Shop makes a small random dataset: users x items interactions with repeats, and baskets.
func Shop(seed uint64, users, items, interactions int) *feedback.Dataset {
	random := rand.New(rand.NewPCG(seed, 0))
	b := feedback.NewBuilder()
	for range interactions {
		u := random.IntN(users)
		i := (u*3 + random.IntN(items)*random.IntN(items)/items) % items
		b.Add(Name("u", u), Name("i", i), float32(1+random.IntN(3)), int64(1000+random.IntN(100000)))
	}
	for range interactions / 4 {
		basket := make([]string, 1+random.IntN(5))
		for k := range basket {
			basket[k] = Name("i", random.IntN(items))
		}
		b.AddBasket(basket)
	}
	return b.Build()
}

// Name is an id of a kind, in the order of numbers below 17,576.
func Name(kind string, i int) string {
	return kind + string(rune('a'+i/676%26)) + string(rune('a'+i/26%26)) + string(rune('a'+i%26))
}

// MatrixOf is the users x items matrix of damped weights, from the log alone.
func MatrixOf(d *feedback.Dataset) *mat.Dense {
	sum := mat.NewDense(d.Users(), d.Items(), nil)
	for _, x := range d.Entries() {
		sum.Set(int(x.User), int(x.Item), sum.At(int(x.User), int(x.Item))+float64(x.Weight))
	}
	sum.Apply(func(_, _ int, w float64) float64 { return math.Log2(1 + w) }, sum)
	return sum
}

// Near tells whether two numbers are as good as equal.
func Near(a, b, tolerance float64) bool {
	return math.Abs(a-b) <= tolerance*math.Max(1, math.Max(math.Abs(a), math.Abs(b)))
}

// KeepsTheStrongest holds rows to be the strongest entries of all, as they are there.
func KeepsTheStrongest(t *testing.T, few, all *sparse.Rows) {
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

// Walks makes a small random dataset of users who go from item to item, at times after a pause.
func Walks(seed uint64, users, items, clicks int) *feedback.Dataset {
	random := rand.New(rand.NewPCG(seed, 0))
	b := feedback.NewBuilder()
	for u := range users {
		at, item := int64(random.IntN(5*feedback.VisitGap)), random.IntN(items)
		for range clicks {
			b.Add(Name("u", u), Name("i", item), 1, at)
			if random.IntN(6) == 0 {
				at += feedback.VisitGap
			}
			at += int64(random.IntN(4))
			item = (item + random.IntN(5)*random.IntN(5)/4) % items
		}
	}
	return b.Build()
}

// Trips are the datasets that every part is held to its formula on.
func Trips() map[string]*feedback.Dataset {
	robot, one, click := feedback.NewBuilder(), feedback.NewBuilder(), feedback.NewBuilder()
	for at := range int64(5000) {
		robot.Add("robot", "a", 1, at)
	}
	for at, item := range []string{"a", "b", "a", "a", "c"} {
		one.Add("one", item, 1, int64(at))
	}
	click.Add("one", "a", 1, 7)
	return map[string]*feedback.Dataset{
		"none":      feedback.NewBuilder().Build(),
		"one click": click.Build(),
		"one visit": one.Build(),
		"one item":  Walks(1, 9, 1, 20),
		"robot":     robot.Build(),
		"few items": Walks(2, 12, 6, 40),
		"walks":     Walks(3, 60, 80, 60),
	}
}

// TrailsOf are random trails through a dataset, and unknown items.
func TrailsOf(d *feedback.Dataset) [][]int32 {
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

// HoldTally compares sums to what they must be, each to one part in ten thousand, and empties t.
func HoldTally(t *testing.T, got *sparse.Tally, want map[int32]float64) {
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

// Lines calls fn for the lines of a file of a public data set, and skips the test where that
// is not there.
func Lines(t *testing.T, set, name string, fn func(line string)) {
	t.Helper()
	_, here, _, _ := runtime.Caller(0)
	dir := cmp.Or(os.Getenv("ATTUNE_TEST_DATA"), filepath.Join(filepath.Dir(here), "../../../../shared/data"))
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
