package sparse

import (
	"math"
	"slices"
	"sort"
)

// Candidate is an item with its score; scores compare within one answer only.
type Candidate struct {
	Item  int32
	Score float32
}

// better orders candidates best first, equal ones by their number.
func better(a, b Candidate) bool {
	return a.Score > b.Score || a.Score == b.Score && a.Item < b.Item
}

// KeepBest moves the n best candidates to the front of all, in no order, and returns
// them. O(len(all)) on average; it always picks the same ones.
//
// It goes through all once, keeps what is better than the worst of the n best so far, and selects
// among the kept when they are 4 n. That is one branch a candidate, hardly ever taken.
func KeepBest(all []Candidate, n int) []Candidate {
	if n <= 0 {
		return nil
	}
	n = min(n, len(all)) // so that 4 n fits
	kept := min(len(all), 4*n)
	for next := kept; next < len(all); {
		worst := slices.MinFunc(selectBest(all[:kept], n), compare)
		for kept = n; next < len(all) && kept < 4*n; next++ {
			if better(all[next], worst) {
				all[kept], all[next] = all[next], all[kept]
				kept++
			}
		}
	}
	return selectBest(all[:kept], n)
}

// compare is better for sorting: the worse comes first.
func compare(a, b Candidate) int {
	if better(a, b) {
		return 1
	}
	return -1
}

// selectBest is KeepBest for few candidates, by Hoare's selection (1961).
func selectBest(all []Candidate, n int) []Candidate {
	if len(all) <= n {
		return all
	}
	for lo, hi := 0, len(all)-1; lo < hi; {
		middle := lo + (hi-lo)/2
		pivot := median(all[lo], all[middle], all[hi])
		i, j := lo, hi
		for i <= j {
			for better(all[i], pivot) {
				i++
			}
			for better(pivot, all[j]) {
				j--
			}
			if i <= j {
				all[i], all[j] = all[j], all[i]
				i++
				j--
			}
		}
		switch {
		case n-1 <= j:
			hi = j
		case n-1 >= i:
			lo = i
		default:
			return all[:n]
		}
	}
	return all[:n]
}

func median(a, b, c Candidate) Candidate {
	if better(b, a) {
		a, b = b, a
	}
	if better(c, b) {
		b = c
		if better(b, a) {
			b = a
		}
	}
	return b
}

// ByScore sorts candidates best first, equal ones by their number.
func ByScore(all []Candidate) {
	sort.Slice(all, func(i, j int) bool { return better(all[i], all[j]) })
}

func byItem(all []Candidate) {
	slices.SortFunc(all, func(a, b Candidate) int { return int(a.Item) - int(b.Item) })
}

// Ordered copies candidates in the order of items.
func Ordered(found []Candidate) []Candidate {
	out := append([]Candidate(nil), found...)
	byItem(out)
	return out
}

// Strongest is the memory of a choice of the strongest.
type Strongest struct{ found []Candidate }

// Of returns the places of the n numbers in row that are largest in absolute value, with that,
// in no order; of equal ones the first, and none that is 0 or not finite. It is valid until
// the next call. O(row) where n is a small part of it: most numbers are only compared.
func (s *Strongest) Of(row []float32, n int) []Candidate {
	s.found = s.found[:0]
	if n <= 0 {
		return nil
	}
	n = min(n, len(row)) // so that 2 n fits
	var least float32    // what an entry must exceed to be among the n best so far
	for j, x := range row {
		size := max(x, -x)
		if !(size > least) || size > math.MaxFloat32 {
			continue
		}
		s.found = append(s.found, Candidate{Item: int32(j), Score: size})
		if len(s.found) == 2*n {
			s.found = KeepBest(s.found, n)
			least = s.found[0].Score
			for _, c := range s.found {
				least = min(least, c.Score)
			}
		}
	}
	return KeepBest(s.found, n)
}
