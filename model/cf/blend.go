package cf

import (
	"math"
	"slices"
)

const (
	// blendCandidates is how many items a blend ranks, beside those of the history.
	blendCandidates = 200
	// leastChance stands for a chance of 0 in a logarithm.
	leastChance = 1e-5
)

// blend ranks the candidates of several parts by one weighted sum of what each says of them:
// the log of the chance that it gives an item, which is its score over the sum of its scores.
// The weights are fitted on lists that were held out, by the softmax over each list's
// candidates (a conditional logit: McFadden 1974), and depend on the situation.
type blend struct {
	// base are the algorithms beside the sequence: EASE or Spectral, ItemKNN, ALS.
	base []string
	// sequence is nil where the times of interactions are not known.
	sequence *sequence
	// shares are what the parts' chances are mixed by; they add up to 1.
	shares []float32
	// weights has a row for each number of a situation.
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
		n += b.sequence.parts()
	}
	return n
}

func (b *blend) features() int { return 1 + b.parts() + commonFeatures }

// blending is the memory of one list.
type blending struct {
	tally  tally
	recall recollection
	// said has what each part says, and total the sum of that.
	said  [][]Candidate
	total []float32
	mix   tally
	// candidates are what is ranked, and features has a row for each.
	candidates []Candidate
	features   []float32
	weights    []float32
	// at of an item is its place among the candidates and 1 more, 0 between calls.
	at []int32
}

// collect fills candidates and features for the taste in the Scratch. Those of items that
// closed tells are left out; only, where not nil, are the only candidates.
func (s *Snapshot) collect(sc *Scratch, only []int32, closed func(item int32) bool) *blending {
	b, m := s.blend, &sc.blending
	n := len(s.itemIDs)
	m.tally.grow(n)
	m.mix.grow(n)
	if len(m.at) < n {
		m.at = make([]int32, n)
	}
	s.ask(sc)
	m.mix.reset()
	for k, said := range m.said[:b.parts()] {
		if m.total[k] <= 0 || b.shares[k] <= 0 {
			continue
		}
		scale := b.shares[k] / m.total[k]
		for _, c := range said {
			m.mix.add(c.Item, c.Score*scale)
		}
	}
	m.nominate(sc.taste.items, only, closed)
	if only != nil || b.has(ALS) {
		s.askFactors(sc)
	}
	s.describe(sc)
	return m
}

// ask lets each part but ALS say what it has to.
func (s *Snapshot) ask(sc *Scratch) {
	b, m := s.blend, &sc.blending
	for len(m.said) < b.parts() {
		m.said, m.total = append(m.said, nil), append(m.total, 0)
	}
	for k := range b.parts() {
		said := m.said[k][:0]
		switch {
		case k >= len(b.base):
			b.sequence.score(k-len(b.base), sc.taste.trail, &m.recall, &m.tally)
			for _, item := range m.tally.touched {
				said = append(said, Candidate{Item: item, Score: m.tally.sum[item]})
			}
			m.tally.reset()
		case b.base[k] == ALS:
		default:
			sc.out = sc.out[:0]
			for _, c := range s.gather(sc, s.scatter(s.rowsOf(b.base[k]), sc)) {
				if c.Score > 0 {
					said = append(said, c)
				}
			}
		}
		var total float32
		for _, c := range said {
			total += c.Score
		}
		m.said[k], m.total[k] = said, total
	}
}

// rowsOf returns the rows of a linear part.
func (s *Snapshot) rowsOf(algorithm string) *rows {
	if algorithm == ItemKNN {
		return &s.similar
	}
	return &s.linear
}

// nominate picks the candidates, and numbers them in at.
func (m *blending) nominate(known, only []int32, closed func(item int32) bool) {
	m.candidates = m.candidates[:0]
	if only != nil {
		for _, item := range only {
			m.candidates = append(m.candidates, Candidate{Item: item, Score: m.mix.sum[item]})
		}
	} else {
		for _, item := range known {
			m.at[item] = -1
		}
		for _, item := range m.mix.touched {
			if m.at[item] == 0 && (closed == nil || !closed(item)) {
				m.candidates = append(m.candidates, Candidate{Item: item, Score: m.mix.sum[item]})
			}
		}
		m.candidates = keepBest(m.candidates, blendCandidates)
		for _, item := range known {
			if m.at[item] < 0 && (closed == nil || !closed(item)) {
				m.candidates = append(m.candidates, Candidate{Item: item, Score: m.mix.sum[item]})
			}
			m.at[item] = 0
		}
	}
	for place, c := range m.candidates {
		m.at[c.Item] = int32(place + 1)
	}
}

func (b *blend) has(algorithm string) bool { return slices.Contains(b.base, algorithm) }

// askFactors lets ALS say what it has to of the candidates.
func (s *Snapshot) askFactors(sc *Scratch) {
	m := &sc.blending
	k := slices.Index(s.blend.base, ALS)
	if k < 0 || !s.foldIn(&sc.taste, &sc.fold) {
		return
	}
	for _, c := range m.candidates {
		if x := dot(sc.fold.user, s.factor(c.Item)); x > 0 {
			m.said[k] = append(m.said[k], Candidate{Item: c.Item, Score: x})
			m.total[k] += x
		}
	}
}

// describe fills the features, and leaves at 0.
func (s *Snapshot) describe(sc *Scratch) {
	b, m := s.blend, &sc.blending
	width := b.features()
	size := width * len(m.candidates)
	m.features = slices.Grow(m.features[:0], size)[:size]
	clear(m.features)
	for k := range b.parts() {
		if m.total[k] <= 0 {
			continue
		}
		for _, c := range m.said[k] {
			if place := m.at[c.Item]; place > 0 {
				m.features[int(place-1)*width+1+k] = c.Score / m.total[k]
			}
		}
	}
	for place, c := range m.candidates {
		row := m.features[place*width : (place+1)*width]
		row[0] = c.Score
		for k := range row[:1+b.parts()] {
			row[k] = logarithm(row[k] + leastChance)
		}
		common := row[1+b.parts():]
		common[featurePopular] = logarithm(1 + s.popular[c.Item])
		if b.sequence != nil {
			common[featureRecent] = logarithm(.1 + b.sequence.recent[c.Item])
		}
	}
	m.describeTrail(sc.taste.trail, width)
	for place, c := range m.candidates {
		repeats := &m.features[(place+1)*width-commonFeatures+featureRepeats]
		*repeats = logarithm(max(*repeats, 1))
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
		x := dot(m.weights, m.features[place*width:(place+1)*width])
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
