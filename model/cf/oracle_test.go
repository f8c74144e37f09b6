package cf

import (
	"math"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/mat"
	"pgregory.net/rapid"

	"github.com/attune-shop/attune/model/dense"
)

// The oracles here are the formulas of the comments, written out densely and naively.

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
	for _, x := range d.log {
		sum.Set(int(x.user), int(x.item), sum.At(int(x.user), int(x.item))+float64(x.weight))
	}
	sum.Apply(func(_, _ int, w float64) float64 { return math.Log2(1 + w) }, sum)
	return sum
}

func near(a, b, tolerance float64) bool {
	return math.Abs(a-b) <= tolerance*math.Max(1, math.Max(math.Abs(a), math.Abs(b)))
}

// TestEASEIsTheClosedForm compares with formulas over dense matrices.
func TestEASEIsTheClosedForm(t *testing.T) {
	d := shop(1, 60, 90, 900)
	n := d.Items()
	for _, settings := range []ease{
		{lambda: 7},
		{lambda: 7, dropout: .25},
		{lambda: 3, dropout: .5, near: .6, debias: .3},
	} {
		got, err := settings.fit(t.Context(), d, 2, nil)
		if err != nil {
			t.Fatal(err)
		}
		gram := mat.NewDense(n, n, nil)
		for u := range int32(d.Users()) {
			items, values, places := entriesOf(d, u)
			for k, i := range items {
				for q, j := range items {
					apart := math.Abs(float64(places[k] - places[q]))
					close := 1 - settings.near + settings.near*math.Exp(-apart/nearReach)
					gram.Set(int(i), int(j), gram.At(int(i), int(j))+float64(values[k]*values[q])*close)
				}
			}
		}
		squares := make([]float64, n)
		var mean float64
		for i := range squares {
			squares[i] = gram.At(i, i)
			mean += squares[i] / float64(n)
			gram.Set(i, i, squares[i]+settings.lambda+settings.dropout/(1-settings.dropout)*squares[i])
		}
		var p mat.Dense
		if err := p.Inverse(gram); err != nil {
			t.Fatal(err)
		}
		for i := range n {
			for j := range n {
				want := -p.At(i, j) / p.At(j, j) * math.Pow(squares[i]/mean, -settings.debias)
				if i == j {
					want = 0
				}
				if !near(float64(got.at(int32(i), int32(j))), want, 1e-4) {
					t.Fatalf("%v: (%d, %d) is %g, want %g", settings, i, j, got.at(int32(i), int32(j)), want)
				}
			}
		}
	}
}

func TestEASEKeepsTheStrongest(t *testing.T) {
	d := shop(1, 60, 90, 900)
	all, err := ease{lambda: 7, width: 1000}.fit(t.Context(), d, 2, nil)
	if err != nil {
		t.Fatal(err)
	}
	few, err := ease{lambda: 7, width: 5}.fit(t.Context(), d, 2, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := range int32(d.Items()) {
		if columns, _ := few.row(i); len(columns) > 5 {
			t.Fatalf("row %d has %d items", i, len(columns))
		}
	}
	keepsTheStrongest(t, &few, &all)
}

// keepsTheStrongest holds rows to be the strongest entries of all, as they are there.
func keepsTheStrongest(t *testing.T, few, all *rows) {
	t.Helper()
	for i := range int32(few.len()) {
		columns, values := few.row(i)
		least := math.Inf(1)
		for k, c := range columns {
			if values[k] != all.at(i, c) {
				t.Fatalf("row %d changed", i)
			}
			least = min(least, math.Abs(float64(values[k])))
		}
		others, sizes := all.row(i)
		for k, c := range others {
			if few.at(i, c) == 0 && math.Abs(float64(sizes[k])) > least {
				t.Fatalf("row %d left %g out and kept %g", i, sizes[k], least)
			}
		}
	}
}

func TestNeighboursAreCosines(t *testing.T) {
	d := shop(2, 50, 40, 600)
	got, err := neighbours(t.Context(), d, 1000, 2, nil)
	if err != nil {
		t.Fatal(err)
	}
	x := matrixOf(d)
	weight := func(u int) float64 { return 1 / mat.Norm(x.RowView(u), 2) }
	norm := func(i int) float64 {
		var sum float64
		for u := range d.Users() {
			sum += x.At(u, i) * x.At(u, i) * weight(u)
		}
		return math.Sqrt(sum)
	}
	for i := range d.Items() {
		for j := range d.Items() {
			var sum float64
			for u := range d.Users() {
				sum += x.At(u, i) * x.At(u, j) * weight(u)
			}
			want := sum / (norm(i)*norm(j) + knnShrink)
			if i == j {
				want = 0
			}
			if !near(float64(got.at(int32(i), int32(j))), want, 1e-5) {
				t.Fatalf("(%d, %d) is %g, want %g", i, j, got.at(int32(i), int32(j)), want)
			}
		}
	}
}

func TestTogetherIsDampedLift(t *testing.T) {
	d := shop(3, 50, 30, 800)
	got, err := together(t.Context(), d, 1000, 2, nil)
	if err != nil {
		t.Fatal(err)
	}
	n := d.Items()
	shared, weighted := mat.NewDense(n, n, nil), mat.NewDense(n, n, nil)
	for _, basket := range d.baskets {
		for _, i := range basket {
			for _, j := range basket {
				shared.Set(int(i), int(j), shared.At(int(i), int(j))+1)
				weighted.Set(int(i), int(j), weighted.At(int(i), int(j))+1/math.Sqrt(float64(len(basket)-1)))
			}
		}
	}
	for i := range n {
		for j := range n {
			var want float64
			if k := shared.At(i, j); i != j && k >= togetherSupport {
				want = weighted.At(i, j) / math.Sqrt(weighted.At(i, i)*weighted.At(j, j)) * k / (k + togetherDamp)
			}
			if !near(float64(got.at(int32(i), int32(j))), want, 1e-5) {
				t.Fatalf("(%d, %d) is %g, want %g", i, j, got.at(int32(i), int32(j)), want)
			}
		}
	}
}

// TestRarePairsDoNotWin: two oddities that met twice rank after a pair of every week.
func TestRarePairsDoNotWin(t *testing.T) {
	b := NewBuilder()
	for k := range 100 {
		switch {
		case k < 60:
			b.AddBasket([]string{"tea", "cup"})
		case k < 62:
			b.AddBasket([]string{"tea", "oddity"})
		case k < 80:
			b.AddBasket([]string{"tea", "spoon"})
		default:
			b.AddBasket([]string{"cup", "spoon"})
		}
	}
	s, err := Fit(t.Context(), b.Build(), Plan{Algorithm: Popularity}, Options{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	tea, _ := s.Index("tea")
	var got []string
	for _, c := range s.Together(tea, 10) {
		got = append(got, s.ItemID(c.Item))
	}
	if len(got) != 3 || got[0] != "cup" || got[1] != "spoon" || got[2] != "oddity" {
		t.Fatalf("with tea: %v", got)
	}
}

// TestALSSolvesItsSystem: conjugate gradient run to the end meets the normal equations.
func TestALSSolvesItsSystem(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rank, n := rapid.IntRange(1, 6).Draw(t, "rank"), rapid.IntRange(1, 12).Draw(t, "rows")
		random := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		y := dense.Zeros(n, rank)
		p := penalty{unobserved: .2, entry: .03}
		for i := range y.Data {
			y.Data[i] = float32(random.NormFloat64())
		}
		columns, values := []int32{}, []float32{}
		for i := range n {
			if random.IntN(2) == 0 {
				columns, values = append(columns, int32(i)), append(values, random.Float32()+.5)
			}
		}
		x := make([]float32, rank)
		var g gradient
		for range 30 {
			g.solve(p.gram(y), p.entry, columns, values, y, x)
		}
		want := normalEquations(p, y.Data, n, rank, columns, values)
		for k := range rank {
			if !near(float64(x[k]), want.AtVec(k), 1e-3) {
				t.Fatalf("x[%d] is %g, want %g", k, x[k], want.AtVec(k))
			}
		}
	})
}

// normalEquations solves for one row of factors densely.
func normalEquations(p penalty, y []float32, n, rank int, columns []int32, values []float32) *mat.VecDense {
	a, b := mat.NewDense(rank, rank, nil), mat.NewVecDense(rank, nil)
	add := func(i int, c, diagonal float64) {
		for k := range rank {
			for q := range rank {
				a.Set(k, q, a.At(k, q)+c*float64(y[i*rank+k])*float64(y[i*rank+q]))
			}
			a.Set(k, k, a.At(k, k)+diagonal)
		}
	}
	for i := range n {
		add(i, float64(p.unobserved), float64(p.unobserved*p.entry))
	}
	for k, i := range columns {
		add(int(i), float64(values[k]), float64(p.entry))
		for q := range rank {
			b.SetVec(q, b.AtVec(q)+float64(values[k])*float64(y[int(i)*rank+q]))
		}
	}
	var x mat.VecDense
	if err := x.SolveVec(a, b); err != nil {
		panic(err)
	}
	return &x
}

func TestFoldInSolvesTheVisitorsSystem(t *testing.T) {
	d := shop(4, 60, 50, 900)
	s, err := Fit(t.Context(), d, Plan{Algorithm: ALS, Settings: Settings{Lambda: 4}}, Options{Factors: 8, Seed: 3}, nil)
	if err != nil {
		t.Fatal(err)
	}
	history := []Signal{{Item: 3, Weight: 1}, {Item: 7, Weight: 5}, {Item: 20, Weight: .5}}
	var sc Scratch
	scores := s.Score(history, &sc)
	if len(scores) != d.Items() {
		t.Fatalf("%d scores of %d items", len(scores), d.Items())
	}
	var columns []int32
	var values []float32
	for _, x := range history {
		columns, values = append(columns, x.Item), append(values, float32(damp(float64(x.Weight))))
	}
	want := normalEquations(s.penalty, s.factors.Data, d.Items(), 8, columns, values)
	for _, c := range scores {
		var sum float64
		for k, y := range s.factor(c.Item) {
			sum += want.AtVec(k) * float64(y)
		}
		if !near(float64(c.Score), sum, 1e-3) {
			t.Fatalf("item %d scores %g, want %g", c.Item, c.Score, sum)
		}
	}
	checkExplain(t, s, history)
}

// checkExplain holds Explain to scores: the parts of the history must add up to the score.
func checkExplain(t *testing.T, s *Snapshot, history []Signal) {
	t.Helper()
	var sc Scratch
	for _, c := range append([]Candidate(nil), s.Score(history, &sc)...) {
		var share float64
		for k, part := range s.Explain(history, c.Item) {
			share += float64(part.Share)
			if part.Share <= 0 || part.From < 0 || part.From >= len(history) {
				t.Fatalf("part %+v", part)
			}
			if k > 0 && part.Share > s.Explain(history, c.Item)[k-1].Share {
				t.Fatal("parts are not in order")
			}
		}
		if share != 0 && !near(share, 1, 1e-4) {
			t.Fatalf("shares of item %d add up to %g", c.Item, share)
		}
		if c.Score > 1e-3 && share == 0 {
			t.Fatalf("item %d with score %g has no reason", c.Item, c.Score)
		}
	}
}

func TestLinearScoresAreSumsOfRows(t *testing.T) {
	d := shop(5, 60, 50, 900)
	for _, plan := range []Plan{
		{Algorithm: EASE, Settings: Settings{Lambda: 20}},
		{Algorithm: EASE, Settings: Settings{Lambda: 20, Fade: 3}},
		{Algorithm: ItemKNN},
	} {
		s, err := Fit(t.Context(), d, plan, Options{RowItems: 20, Neighbours: 15}, nil)
		if err != nil {
			t.Fatal(err)
		}
		m := &s.linear
		if plan.Algorithm == ItemKNN {
			m = &s.similar
		}
		history := []Signal{
			{Item: 3, Weight: 1}, {Item: 7, Weight: 5}, {Item: 7, Weight: 2}, {Item: -1, Weight: 3}, {Item: 999, Weight: 1},
			{Item: 9, Weight: 2}, {Item: 9, Weight: -1}, {Item: 4, Weight: -1}, {Item: 5, Weight: float32(math.NaN())}, {Item: 6, Weight: 1e30},
		}
		// Newest first: 6, 4, 9, 7, 3; nothing is left of 4, which takes a place all the same.
		want := map[int32]float64{}
		for newer, x := range map[int]Signal{0: {Item: 6, Weight: maxWeight}, 2: {Item: 9, Weight: 1}, 3: {Item: 7, Weight: 7}, 4: {Item: 3, Weight: 1}} {
			value := damp(float64(x.Weight))
			if fade := float64(plan.Settings.Fade); fade > 0 {
				value *= math.Exp2(-float64(newer) / fade)
			}
			for j := range int32(d.Items()) {
				want[j] += value * float64(m.at(x.Item, j))
			}
		}
		var sc Scratch
		for range 2 {
			got := map[int32]float64{}
			for _, c := range s.Score(history, &sc) {
				got[c.Item] = float64(c.Score)
			}
			for j := range int32(d.Items()) {
				if !near(got[j], want[j], 1e-4) {
					t.Fatalf("%s: item %d scores %g, want %g", plan.Algorithm, j, got[j], want[j])
				}
			}
		}
		checkExplain(t, s, history[:3])
	}
}
