package cf

import (
	"gonum.org/v1/gonum/blas/blas32"

	"github.com/attune-shop/attune/model/cf/sparse"
)

// Snapshot is a trained model as it serves. It is immutable and safe for concurrent use.
//
// Beside the algorithm's own part every Snapshot has similar items, items bought
// together and popularity. Memory: 8 bytes an entry of the rows kept, 4 bytes a factor,
// and the item ids twice.
type Snapshot struct {
	algorithm string
	// settings are what it was fitted with.
	settings Settings
	itemIDs  []string
	// popular is what users' damped weights add up to, by item.
	popular []float32
	// similar and together are items x items, at most Options.Neighbours wide.
	similar, together sparse.Rows
	// linear is items x items, of EASE or Spectral; item-kNN uses similar.
	linear sparse.Rows
	// factors is items x rank, of ALS.
	factors blas32.General
	// penalty is what ALS was fitted with.
	penalty penalty
	// blend is nil where the algorithm is another; its base has its rows and factors above.
	blend *blend

	// What follows is derived from the fields above.
	index map[string]int32
	best  []Candidate
	// gram is what the systems of all visitors have in common, rank x rank.
	gram blas32.General
	// near are the factorNear best of each row of similar, where ALS is to look among them.
	near sparse.Rows
}

// Candidate is an item with its score; scores compare within one answer only.
type Candidate = sparse.Candidate

// Algorithm is EASE, Spectral, ALS, ItemKNN, Popularity or Blend.
func (s *Snapshot) Algorithm() string { return s.algorithm }

// Items is the number of items that the model knows.
func (s *Snapshot) Items() int { return len(s.itemIDs) }

// Index returns the number of an item, false where the model does not know it.
func (s *Snapshot) Index(itemID string) (int32, bool) {
	i, ok := s.index[itemID]
	return i, ok
}

// ItemID returns the id of item i, "" where there is none.
func (s *Snapshot) ItemID(i int32) string {
	if i < 0 || int(i) >= len(s.itemIDs) {
		return ""
	}
	return s.itemIDs[i]
}

// Similar returns up to n items that the same users chose, best first.
func (s *Snapshot) Similar(item int32, n int) []Candidate { return top(&s.similar, item, n) }

// Together returns up to n items that are bought with it, best first; none where it was
// not in two baskets with any.
func (s *Snapshot) Together(item int32, n int) []Candidate { return top(&s.together, item, n) }

// Popular returns all items, best first. The caller must not change it.
func (s *Snapshot) Popular() []Candidate { return s.best }

func top(m *sparse.Rows, item int32, n int) []Candidate {
	all := sparse.KeepBest(m.Candidates(item, nil), n)
	sparse.ByScore(all)
	return all
}

// derive makes what is not stored.
func (s *Snapshot) derive() *Snapshot {
	s.index = make(map[string]int32, len(s.itemIDs))
	s.best = make([]Candidate, len(s.itemIDs))
	for i, id := range s.itemIDs {
		s.index[id] = int32(i)
		s.best[i] = Candidate{Item: int32(i), Score: s.popular[i]}
	}
	sparse.ByScore(s.best)
	if s.factors.Cols > 0 {
		s.gram = s.penalty.gram(s.factors)
		if s.algorithm == ALS && len(s.itemIDs) > FullScanItems {
			s.near = s.similar.Best(factorNear)
		}
	}
	return s
}

// withFade returns the same model with another fading.
func (s *Snapshot) withFade(fade float32) *Snapshot {
	other := *s
	other.settings.Fade = fade
	return &other
}
