package rank

// heapify orders list so that pop takes the first by before. O(n).
func heapify[T any](list []T, before func(a, b *T) bool) {
	for i := len(list)/2 - 1; i >= 0; i-- {
		sink(list, i, before)
	}
}

// pop takes the first of a heap that is not empty, and returns it and the rest. O(log n).
func pop[T any](list []T, before func(a, b *T) bool) (T, []T) {
	first, last := list[0], len(list)-1
	list[0] = list[last]
	list = list[:last]
	sink(list, 0, before)
	return first, list
}

func sink[T any](list []T, i int, before func(a, b *T) bool) {
	for {
		child := 2*i + 1
		if child >= len(list) {
			return
		}
		if child+1 < len(list) && before(&list[child+1], &list[child]) {
			child++
		}
		if !before(&list[child], &list[i]) {
			return
		}
		list[i], list[child] = list[child], list[i]
		i = child
	}
}
