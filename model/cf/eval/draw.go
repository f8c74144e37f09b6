package eval

import (
	"cmp"
	"slices"

	"github.com/attune-shop/attune/model/cf/feedback"
)

// drawn is a number that may be drawn, and its lot.
type drawn struct {
	number int
	lot    uint64
}

// draw returns n of the numbers below total, those whose marks draw the lowest lots by the seed, in
// the order of the lots.
func draw(total, n int, seed int64, mark func(k int) uint64) []int {
	all := make([]drawn, total)
	for k := range all {
		all[k] = drawn{k, feedback.Lot(uint64(seed), mark(k))}
	}
	slices.SortFunc(all, func(a, b drawn) int { return cmp.Or(cmp.Compare(a.lot, b.lot), cmp.Compare(a.number, b.number)) })
	numbers := make([]int, min(n, total))
	for k := range numbers {
		numbers[k] = all[k].number
	}
	return numbers
}

// drawUsers draws those who are evaluated.
func drawUsers(m feedback.Marks, of Sample) []int {
	return draw(len(m.Users), of.Users, of.Seed, func(k int) uint64 { return m.Users[k] })
}
