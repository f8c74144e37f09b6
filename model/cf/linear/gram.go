package linear

import (
	"context"
	"math"

	"gonum.org/v1/gonum/blas/blas32"

	"github.com/attune-shop/attune/model/cf/feedback"
	"github.com/attune-shop/attune/model/dense"
	"github.com/attune-shop/attune/model/parallel"
)

// gramUnits is how many units a damped weight of 1 is counted in.
const gramUnits = 1 / feedback.LeastValue

// units rounds a damped weight, which is above 0, to units, one at least.
func units(x float32) int32 { return max(1, int32(math.RoundToEven(float64(x)*gramUnits))) }

// gramValue is a sum of products of units as a number.
func gramValue(sum int64) float32 { return float32(float64(sum) / (gramUnits * gramUnits)) }

const (
	// nearReach is the number of places after which closeness has faded to 1/e.
	nearReach = 10
	// nearBits is the precision of closeness, nearPlaces how many places it is looked up for.
	nearBits   = 12
	nearPlaces = 128
)

// closeness says how much two items of a user say of each other, by how many places apart they
// are in the user's order of time: 1 - share + share exp(-places / nearReach), in units of
// 2^-nearBits. It is nil where share is 0.
//
// X^T X weighted so is positive semidefinite still: it is a sum, over users, of products by
// entries of such matrices (Schur).
type closeness []int64

func newCloseness(share float64) closeness {
	if share <= 0 {
		return nil
	}
	c := make(closeness, nearPlaces)
	for places := range c {
		weight := 1 - share + share*math.Exp(-float64(places)/nearReach)
		c[places] = int64(math.Round(weight * (1 << nearBits)))
	}
	return c
}

// weigh returns the product of two values in units, in squared units, weighted.
func (c closeness) weigh(x, y int64, a, b int32) int64 {
	if c == nil {
		return x * y
	}
	return x * y >> nearBits * c[min(max(a-b, b-a), nearPlaces-1)]
}

// Gram holds X^T X, items x items, of X users x items of damped weights, and of each product
// as much as the two items were chosen close to each other: all that EASE needs to know of the
// users. It counts in whole numbers, X in units of 1/65536, because
// sums of whole numbers are exact: whoever is taken away leaves no trace, and the order in which
// users come does not matter. A sum is right up to 2^31 users of weight 1, or 2^21 of the
// greatest weight that counts; a sum past that wraps, and comes back when they are taken away.
//
// 4 bytes x items^2: the lower triangle, row by row. It is not safe for concurrent use.
type Gram struct {
	items int
	near  closeness
	sums  []int64
}

// NewGram returns the Gram of no users, of whose products the share near counts by closeness.
func NewGram(items int, near float64) *Gram {
	return &Gram{items: items, near: newCloseness(near), sums: make([]int64, items*(items+1)/2)}
}

// AddUser adds a user's items, in increasing order, with their damped weights and their places
// in the user's order of time. O(items^2) of the user.
func (g *Gram) AddUser(items []int32, values []float32, places []int32) {
	g.add(1, items, values, places)
}

// RemoveUser takes away a user that was added with the same items, values and places. The Gram
// is then, byte for byte, one that the user was never added to.
func (g *Gram) RemoveUser(items []int32, values []float32, places []int32) {
	g.add(-1, items, values, places)
}

func (g *Gram) add(sign int64, items []int32, values []float32, places []int32) {
	for k, i := range items {
		x := int64(units(values[k]))
		row := g.row(i)
		for q, j := range items[:k+1] {
			row[j] += sign * g.near.weigh(x, int64(units(values[q])), places[k], places[q])
		}
	}
}

// row returns row i of the lower triangle.
func (g *Gram) row(i int32) []int64 {
	from := int(i) * (int(i) + 1) / 2
	return g.sums[from : from+int(i)+1]
}

// active are the items with an interaction, in order.
func (g *Gram) active() []int32 {
	var active []int32
	for i := range int32(g.items) {
		if g.row(i)[i] != 0 {
			active = append(active, i)
		}
	}
	return active
}

// matrix returns rows and columns of some items, the lower triangle.
func (g *Gram) matrix(items []int32) blas32.General {
	a := dense.Zeros(len(items), len(items))
	for k, i := range items {
		row, into := g.row(i), a.Data[k*a.Stride:]
		for q, j := range items[:k+1] {
			into[q] = gramValue(row[j])
		}
	}
	return a
}

// gramMatrix returns what a Gram of all users holds of some items, the lower triangle, without
// making one: a row is summed up in whole numbers and rounded once. O(sum over users of
// items^2 / 2) time, 4 bytes x items^2 and 12 bytes a pair.
func gramMatrix(ctx context.Context, d *feedback.Dataset, items []int32, share float64, workers int, done func(float64)) (blas32.General, error) {
	near := newCloseness(share)
	byUser, byItem, places, ownPlaces := d.ByUser(), d.ByItem(), d.TimePlaces(), d.TimePlacesByItem()
	n := len(items)
	place := make([]int32, d.Items())
	for k, i := range items {
		place[i] = int32(k)
	}
	columns, counts := make([]int32, d.Pairs()), make([]int32, d.Pairs())
	for k, i := range byUser.Columns {
		columns[k], counts[k] = place[i], units(byUser.Values[k])
	}
	a := dense.Zeros(n, n)
	sums := make([][]int64, max(workers, 1))
	err := parallel.Each(ctx, n, workers, 16, done, func(worker, from, to int) error {
		if sums[worker] == nil {
			sums[worker] = make([]int64, n)
		}
		for k := from; k < to; k++ {
			row := sums[worker][:k+1]
			users, values := byItem.Row(items[k])
			first, _ := byItem.Span(items[k])
			for m, u := range users {
				if m&0xfff == 0xfff && ctx.Err() != nil {
					return ctx.Err()
				}
				begin, end := byUser.Span(u)
				x := int64(units(values[m]))
				others, place := counts[begin:end], ownPlaces[first+int64(m)]
				at := places[begin:end]
				for q, j := range columns[begin:end] {
					if int(j) > k {
						break
					}
					row[j] += near.weigh(x, int64(others[q]), place, at[q])
				}
			}
			into := a.Data[k*n : k*n+k+1]
			for j, sum := range row {
				into[j] = gramValue(sum)
			}
			clear(row)
		}
		return nil
	})
	return a, err
}
