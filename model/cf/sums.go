package cf

// sums adds numbers up by item, at a cost of the items touched only.
type sums struct {
	sum     []float64
	touched []int32
	found   []Candidate
}

func newSums(workers, items int) []*sums {
	all := make([]*sums, max(workers, 1))
	for i := range all {
		all[i] = &sums{sum: make([]float64, items)}
	}
	return all
}

// add takes positive numbers only.
func (s *sums) add(j int32, x float64) {
	if s.sum[j] == 0 {
		s.touched = append(s.touched, j)
	}
	s.sum[j] += x
}

// drain returns the items whose score is above 0, and empties s. The result is valid
// until the next call.
func (s *sums) drain(score func(j int32, sum float64) float64) []Candidate {
	s.found = s.found[:0]
	for _, j := range s.touched {
		if x := float32(score(j, s.sum[j])); x > 0 {
			s.found = append(s.found, Candidate{Item: j, Score: x})
		}
		s.sum[j] = 0
	}
	s.touched = s.touched[:0]
	return s.found
}
