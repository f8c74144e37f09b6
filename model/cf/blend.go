package cf

import (
	"math"
	"slices"

	"github.com/attune-shop/attune/model/cf/sequence"
	"github.com/attune-shop/attune/model/cf/sparse"
	"github.com/attune-shop/attune/model/dense"
)

const (
	// blendCandidates is how many items a blend ranks, beside those of the history.
	blendCandidates = 200
	// leastChance stands for a chance of 0 in a logarithm.
	leastChance = 1e-5
)

// blend ranks the candidates of several parts by one weighted sum of what each says of them, the
// log of the chance that it gives an item, which is its score over the sum of its scores:
//
//	chance of c = exp(w . f_c) / sum over candidates d of exp(w . f_d),  w = W^T z
//
// with f the features of a candidate, z the situation and W the weights.
// The weights are fitted on lists that were held out (softmax; a conditional logit: McFadden
// 1974).
type blend struct {
	// base are the algorithms beside the sequence: EASE or Spectral, ItemKNN, ALS.
	base []string
	// sequence is nil where the times of interactions are not known.
	sequence *sequence.Model
	// shares are what the parts' chances are mixed by; they add up to 1.
	shares []float32
	// weights is W: a row of features() numbers for each number of a situation.
	weights [situationSize][]float32
}

// The features of a candidate: the log of the parts' mixed chance, each part's log chance, then
// these.
const (
	featurePopular = iota
	featureRecent
	// featureAge0 to featureAge4 say that the item is the trail's newest, the one before, ...;
	// the last stands for all older ones.
	featureAge0
	featureAge4 = featureAge0 + 4
	// featureRepeats is the log of how often it is in the trail.
	featureRepeats = featureAge4 + 1
	// featureFollowed says that it came right after the trail's newest item before, and
	// featurePreceded that it came right before it.
	featureFollowed = featureRepeats + 1
	featurePreceded = featureFollowed + 1
	commonFeatures  = featurePreceded + 1
)

// parts is the number of parts.
func (b *blend) parts() int {
	n := len(b.base)
	if b.sequence != nil {
		n += b.sequence.Parts()
	}
	return n
}

// features is the number of features of a candidate, and so of the weights of a row.
func (b *blend) features() int { return 1 + b.parts() + commonFeatures }

// blending is the memory of one list.
type blending struct {
	recall sequence.Scratch
	said   []saying
	// mix is empty between calls.
	mix sparse.Tally
	// candidates are what is ranked, and features has a row for each.
	candidates []Candidate
	features   []float32
	weights    []float32
	// known are the candidates of the history.
	known []Candidate
	// at of an item is its place among the candidates and 1 more, 0 between calls.
	at []int32
}

// saying is what one part says: items, their scores, which are above 0, and the sum of these.
type saying struct {
	items  []int32
	scores []float32
	total  float32
}

// collect fills candidates and features for the taste in the Scratch. Those of items that
// closed tells are left out; only, where not nil, are the only candidates.
func (s *Snapshot) collect(sc *Scratch, only []int32, closed func(item int32) bool) *blending {
	b, m := s.blend, &sc.blending
	n := len(s.itemIDs)
	m.mix.Grow(n)
	if len(m.at) < n {
		m.at = make([]int32, n)
	}
	s.ask(sc)
	for k := range b.parts() {
		if said := &m.said[k]; said.total > 0 && b.shares[k] > 0 {
			m.mix.AddRow(b.shares[k]/said.total, said.items, said.scores)
		}
	}
	m.pick(sc.taste.Items, only, n, closed)
	s.askFactors(sc)
	s.describe(sc)
	return m
}

// ask lets each part but ALS say what it has to.
func (s *Snapshot) ask(sc *Scratch) {
	b, m := s.blend, &sc.blending
	sc.tally.Grow(len(s.itemIDs))
	for len(m.said) < b.parts() {
		m.said = append(m.said, saying{})
	}
	for k := range b.parts() {
		switch {
		case k >= len(b.base):
			b.sequence.Score(k-len(b.base), sc.taste.Trail, &m.recall, &sc.tally)
		case b.base[k] != ALS:
			s.scatter(s.rowsOf(b.base[k]), sc)
		}
		said := &m.said[k]
		said.items, said.scores, said.total = sc.tally.DrainPositive(said.items, said.scores)
	}
}

// rowsOf returns the rows of a linear part.
func (s *Snapshot) rowsOf(algorithm string) *sparse.Rows {
	if algorithm == ItemKNN {
		return &s.similar
	}
	return &s.linear
}

// pick picks the candidates among items 0 to n-1, each once, numbers them in at, and empties
// the mix.
func (m *blending) pick(known, only []int32, n int, closed func(item int32) bool) {
	m.candidates, m.known = m.candidates[:0], m.known[:0]
	for _, item := range only {
		if item < 0 || int(item) >= n || m.at[item] > 0 {
			continue
		}
		m.at[item] = 1
		m.candidates = append(m.candidates, Candidate{Item: item, Score: m.mix.Sum[item]})
	}
	if only != nil {
		m.mix.Reset()
	} else {
		for _, item := range known {
			m.known = append(m.known, Candidate{Item: item, Score: m.mix.Sum[item]})
			m.mix.Sum[item] = 0
		}
		m.candidates = m.mix.Drain(m.candidates)
		if closed != nil {
			shut := func(c Candidate) bool { return closed(c.Item) }
			m.candidates, m.known = slices.DeleteFunc(m.candidates, shut), slices.DeleteFunc(m.known, shut)
		}
		m.candidates = append(sparse.KeepBest(m.candidates, blendCandidates), m.known...)
	}
	for place, c := range m.candidates {
		m.at[c.Item] = int32(place + 1)
	}
}

// askFactors lets ALS say what it has to of the candidates.
func (s *Snapshot) askFactors(sc *Scratch) {
	m := &sc.blending
	k := slices.Index(s.blend.base, ALS)
	if k < 0 || !s.foldIn(&sc.taste, &sc.fold) {
		return
	}
	said := &m.said[k]
	for place, c := range m.candidates {
		ahead := m.candidates[min(place+8, len(m.candidates)-1)]
		dense.Fetch(s.factor(ahead.Item))
		if x := dense.Dot(sc.fold.user, s.factor(c.Item)); x > 0 {
			said.items, said.scores = append(said.items, c.Item), append(said.scores, x)
			said.total += x
		}
	}
}

// describe fills the features, and sets all of at to 0 again.
func (s *Snapshot) describe(sc *Scratch) {
	b, m := s.blend, &sc.blending
	width := b.features()
	size := width * len(m.candidates)
	m.features = slices.Grow(m.features[:0], size)[:size]
	clear(m.features)
	for place, c := range m.candidates {
		row := m.features[place*width : (place+1)*width]
		row[0] = logarithm(c.Score + leastChance)
		for k := range b.parts() {
			row[1+k] = logLeastChance
		}
		common := row[1+b.parts():]
		common[featurePopular] = logarithm(1 + s.popular[c.Item])
		if b.sequence != nil {
			common[featureRecent] = logarithm(.1 + b.sequence.Recent[c.Item])
		}
	}
	for k := range b.parts() {
		said := &m.said[k]
		for i, item := range said.items {
			if place := int(m.at[item]); place > 0 {
				m.features[(place-1)*width+1+k] = logarithm(said.scores[i]/said.total + leastChance)
			}
		}
	}
	m.describeTrail(sc.taste.Trail, width)
	for place, c := range m.candidates {
		if repeats := &m.features[(place+1)*width-commonFeatures+featureRepeats]; *repeats > 0 {
			*repeats = logarithm(*repeats)
		}
		m.at[c.Item] = 0
	}
}

// describeTrail fills the features that the trail itself gives, of repeats the count.
func (m *blending) describeTrail(trail []int32, width int) {
	common := func(item int32) []float32 {
		if place := int(m.at[item]); place > 0 {
			return m.features[place*width-commonFeatures : place*width]
		}
		return nil
	}
	for k, item := range slices.Backward(trail) { // oldest first, so that the newest place stays
		f := common(item)
		if f == nil {
			continue
		}
		clear(f[featureAge0 : featureAge4+1])
		f[featureAge0+min(k, featureAge4-featureAge0)] = 1
		f[featureRepeats]++
		if k+1 < len(trail) && trail[k+1] == trail[0] {
			f[featureFollowed] = 1
		}
		if k > 0 && trail[k-1] == trail[0] {
			f[featurePreceded] = 1
		}
	}
}

// logLeastChance is the feature of a part that says nothing of an item.
var logLeastChance = logarithm(leastChance)

func logarithm(x float32) float32 { return float32(math.Log(float64(x))) }

// scoreBlend ranks the candidates: a score is the chance of an item beside the best one's.
func (s *Snapshot) scoreBlend(sc *Scratch, only []int32) []Candidate {
	m := s.collect(sc, only, nil)
	width, best := s.blend.features(), float32(math.Inf(-1))
	m.weights = slices.Grow(m.weights[:0], width)[:width]
	clear(m.weights)
	z := s.situationOf(&sc.taste)
	z.add(&s.blend.weights, m.weights)
	for place := range m.candidates {
		x := dense.Dot(m.weights, m.features[place*width:(place+1)*width])
		m.candidates[place].Score = x
		best = max(best, x)
	}
	for place := range m.candidates {
		c := &m.candidates[place]
		c.Score = float32(math.Exp(math.Max(float64(c.Score-best), -80)))
	}
	sc.out = append(sc.out[:0], m.candidates...)
	return sc.out
}
