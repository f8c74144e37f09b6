package eval

import (
	"cmp"
	"encoding/binary"
	"slices"

	"github.com/cespare/xxhash/v2"

	"github.com/attune-shop/attune/model/cf/feedback"
)

// marks tell users and items apart by what they did and not by their names, so that what is drawn
// by chance is the same for the same data under other ids.
type marks struct{ users, items []uint64 }

// marksOf marks an item by how many items each of its users has, and a user by items, times and
// weights. Users and items that the data do not tell apart have equal marks. O(interactions).
func marksOf(d *feedback.Dataset) marks {
	m := marks{users: make([]uint64, d.Users()), items: make([]uint64, d.Items())}
	for i := range m.items {
		users, _ := d.ByItem().Row(int32(i))
		for _, u := range users {
			from, to := d.ByUser().Span(u)
			m.items[i] += hashed(uint64(to - from))
		}
	}
	for _, x := range d.Entries() {
		m.users[x.User] += hashed(m.items[x.Item], uint64(x.At), uint64(x.Weight*1024))
	}
	return m
}

// hashed mixes numbers.
func hashed(numbers ...uint64) uint64 {
	bytes := make([]byte, 0, 64)
	for _, x := range numbers {
		bytes = binary.LittleEndian.AppendUint64(bytes, x)
	}
	return xxhash.Sum64(bytes)
}

// drawn is a number that may be drawn, and its lot.
type drawn struct {
	number int
	lot    uint64
}

// draw returns n of the numbers below total, in order: those whose marks draw the lowest lots by
// the seed.
func draw(total, n int, seed int64, mark func(k int) uint64) []int {
	all := make([]drawn, total)
	for k := range all {
		all[k] = drawn{k, hashed(uint64(seed), mark(k))}
	}
	slices.SortFunc(all, func(a, b drawn) int { return cmp.Or(cmp.Compare(a.lot, b.lot), cmp.Compare(a.number, b.number)) })
	numbers := make([]int, min(n, total))
	for k := range numbers {
		numbers[k] = all[k].number
	}
	slices.Sort(numbers)
	return numbers
}
