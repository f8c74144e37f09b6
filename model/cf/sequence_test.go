package cf

import (
	"math"
	"math/rand/v2"
)

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
