// Package sequence says what comes next in a visit, by counts over earlier visits (Model): moves from
// item to item, and memories of moments like the present one.
package sequence

import (
	"context"
	"math"
	"slices"

	"github.com/attune-shop/attune/model/cf/feedback"
	"github.com/attune-shop/attune/model/cf/sparse"
	"github.com/attune-shop/attune/model/parallel"
)

// moveCounts are the counts of a model; hops says that it is two moves that are counted.
var moveCounts = [...]struct {
	moving
	hops bool
}{
	{moving: moving{direction: forward, reach: .7, shrink: 1, width: 200}},
	{moving: moving{direction: forward, reach: 10, shrink: 1, width: 200}},
	{moving: moving{direction: backward, reach: 3, shrink: 1, width: 200}},
	{moving: moving{direction: around, reach: 10, shrink: 1, width: 200}},
	{moving: moving{direction: forward, reach: .7, halfLife: .1, shrink: .3, width: 200}},
	{moving: moving{direction: around, reach: 3, shrink: 1, width: hopFrom}, hops: true},
}

// Stored is how many moves a model stores.
const Stored = len(moveCounts)

// moveParts are the parts of a model that apply counts to a trail.
var moveParts = []struct {
	count int
	decay float64
}{{0, .7}, {0, 1.5}, {1, 3}, {2, 1.5}, {3, 3}, {4, 1}, {5, 2}}

// recallParts are the memories of a model, which share its visits.
var recallParts = []recalling{
	{decay: 1.5, power: 4, future: .5, moments: recallMoments},
	{decay: 3, power: 8, future: 1, moments: recallMoments},
	{decay: 10, power: 4, future: 2, moments: recallMoments},
}

const (
	// recallMoments is how many moments of an item a memory looks at.
	recallMoments = 1500
	// moveTrail is how many of a trail's items moves are applied to.
	moveTrail = 20
	// recentHalfLife is the age, as a share of all visits, at which a click counts half in recent.
	recentHalfLife = .02
)

// Model says what comes next in a visit, by counts over earlier visits.
type Model struct {
	Visits  Visits
	Moves   []Moves
	recalls []recall
	// Recent is the popularity of items in the newest visits.
	Recent []float32
}

// New makes a model of what is stored of it, of items 0 to items-1.
func New(v Visits, counted []Moves, items int) *Model {
	q := &Model{Visits: v, Moves: counted}
	q.derive(items)
	return q
}

// Fit counts the visits of a dataset. Its error is that of the context.
func Fit(ctx context.Context, d *feedback.Dataset, workers int, done func(float64)) (*Model, error) {
	v, items := visitsOf(d), d.Items()
	at := placesOf(&v, items)
	var counted []Moves
	steps := float64(len(moveCounts) + 1)
	for k, part := range moveCounts {
		m, err := part.count(ctx, &v, &at, workers, parallel.Share(done, float64(k)/steps, float64(k+1)/steps))
		if err != nil {
			return nil, err
		}
		if part.hops {
			if m, err = m.twice(ctx, workers, nil); err != nil {
				return nil, err
			}
		}
		counted = append(counted, m)
	}
	return New(v, counted, items), ctx.Err()
}

// derive makes what is not stored: all but visits and moves.
func (q *Model) derive(items int) {
	q.recalls = nil
	for _, k := range recallParts {
		m := recallOf(q.Visits, items, k)
		if first := q.recalls; len(first) > 0 && k.moments == first[0].moments {
			// They find the same moments, which weigh something else: less memory, and less to read.
			m.found.Ends, m.found.Columns, m.left = first[0].found.Ends, first[0].found.Columns, first[0].left
		}
		q.recalls = append(q.recalls, m)
	}
	sums := make([]float64, items)
	for k, weight := range (moving{halfLife: recentHalfLife}).weights(q.Visits.Len()) {
		for _, i := range q.Visits.visit(k) {
			sums[i] += weight
		}
	}
	q.Recent = make([]float32, items)
	for i, sum := range sums {
		q.Recent[i] = float32(sum)
	}
}

// Parts is the number of its parts.
func (q *Model) Parts() int { return len(moveParts) + len(recallParts) }

// Score adds what part k says of a trail to t.
func (q *Model) Score(k int, trail []int32, rc *Scratch, t *sparse.Tally) {
	if k < len(moveParts) {
		part := moveParts[k]
		q.Moves[part.count].score(trail, part.decay, moveTrail, t)
		return
	}
	q.recalls[k-len(moveParts)].score(trail, rc, t)
}

// Explain tells what each place of a trail adds to what part k says of an item: of moves, for what a
// memory says comes from no one of them.
func (q *Model) Explain(k int, trail []int32, item int32, each func(from int32, x float32)) {
	if k >= len(moveParts) {
		return
	}
	part := moveParts[k]
	for newer, from := range trail[:min(len(trail), moveTrail)] {
		each(from, float32(math.Exp(-float64(newer)/part.decay))*q.Moves[part.count].At(from, item))
	}
}

// EachRow tells which rows Score reads for a trail, of all parts.
func (q *Model) EachRow(trail []int32, each func(m *sparse.Rows, items []int32)) {
	for _, part := range moveParts {
		each(&q.Moves[part.count].Rows, trail[:min(len(trail), moveTrail)])
	}
	newest := slices.Compact(slices.Sorted(slices.Values(trail[:min(len(trail), recallClicks)])))
	for k := range q.recalls {
		each(&q.recalls[k].found, newest)
	}
}
