package sparse

// Sums adds numbers up by item, at a cost of the items touched only.
type Sums struct {
	// Sum holds a number for each item, 0 where it was not touched.
	Sum []float64
	// Touched are the items whose sum is not 0, each once.
	Touched []int32
	found   []Candidate
}

// NewSums returns empty sums over so many items, for each worker, of which there is one at least.
func NewSums(workers, items int) []*Sums {
	all := make([]*Sums, max(workers, 1))
	for i := range all {
		all[i] = &Sums{Sum: make([]float64, items)}
	}
	return all
}

// Add takes positive numbers only.
func (s *Sums) Add(j int32, x float64) {
	if s.Sum[j] == 0 {
		s.Touched = append(s.Touched, j)
	}
	s.Sum[j] += x
}

// Drain returns the items whose score is above 0, and empties s. The result is valid
// until the next call.
func (s *Sums) Drain(score func(j int32, sum float64) float64) []Candidate {
	s.found = s.found[:0]
	for _, j := range s.Touched {
		if x := float32(score(j, s.Sum[j])); x > 0 {
			s.found = append(s.found, Candidate{Item: j, Score: x})
		}
		s.Sum[j] = 0
	}
	s.Touched = s.Touched[:0]
	return s.found
}
