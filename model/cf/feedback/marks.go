package feedback

import (
	"cmp"
	"encoding/binary"
	"slices"

	"github.com/cespare/xxhash/v2"
)

// Marks tell users and items apart by what they did and not by their names, so that what is left to
// chance falls the same for the same data under other ids.
type Marks struct{ Users, Items []uint64 }

// Marks marks an item by how many items each of its users has, and a user by items, times and weights.
// Those that the data do not tell apart this way are told apart by their order, so that no two marks of
// items are equal, nor two of users. O(interactions).
func (d *Dataset) Marks() Marks {
	m := Marks{Users: make([]uint64, d.Users()), Items: make([]uint64, d.Items())}
	for i := range m.Items {
		users, _ := d.byItem.Row(int32(i))
		for _, u := range users {
			from, to := d.byUser.Span(u)
			m.Items[i] += Lot(uint64(to - from))
		}
	}
	for _, x := range d.log {
		m.Users[x.User] += Lot(m.Items[x.Item], uint64(x.At), uint64(x.Weight*1024))
	}
	tellApart(m.Items)
	tellApart(m.Users)
	return m
}

// tellApart makes equal marks different.
func tellApart(marks []uint64) {
	before := make(map[uint64]uint64, len(marks))
	for i, mark := range marks {
		marks[i] = Lot(mark, before[mark])
		before[mark]++
	}
}

// Lot mixes numbers into one that looks drawn by chance.
func Lot(numbers ...uint64) uint64 {
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

// Draw returns n of the numbers below total, or all where there are fewer: those whose marks draw the lowest
// lots by the seed, in the order of the lots. O(total log total).
func Draw(total, n int, seed int64, mark func(k int) uint64) []int {
	all := make([]drawn, total)
	for k := range all {
		all[k] = drawn{k, Lot(uint64(seed), mark(k))}
	}
	slices.SortFunc(all, func(a, b drawn) int { return cmp.Or(cmp.Compare(a.lot, b.lot), cmp.Compare(a.number, b.number)) })
	numbers := make([]int, min(n, total))
	for k := range numbers {
		numbers[k] = all[k].number
	}
	return numbers
}
