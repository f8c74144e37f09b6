// Package eval is offline evaluation: a dataset is cut into a past and what users chose after it (Hold),
// or comes with Cases of its own; a Ranker is asked for a list for each by a Protocol, and the lists
// are held against what was chosen (Measure). It knows no algorithm.
package eval

import (
	"context"
	"math"
	"runtime"
	"slices"

	"github.com/attune-shop/attune/model/cf/feedback"
	"github.com/attune-shop/attune/model/cf/sparse"
	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/model/parallel"
)

// Ranker is a model as it is measured; a Snapshot is one.
type Ranker interface {
	Items() int
	// Popular has all items, best first.
	Popular() []sparse.Candidate
	// Scorer returns what scores for one worker.
	Scorer() Scorer
}

// Scorer scores for one call at a time. What it returns is valid until the next call, and may be
// changed by the caller.
type Scorer interface {
	// Score returns scores for the items that a history, oldest first, speaks for, in no order.
	Score(history []feedback.Signal) []sparse.Candidate
	// ScoreItems is Score for when the given items matter only.
	ScoreItems(history []feedback.Signal, items []int32) []sparse.Candidate
}

// Measurement is what a ranker's lists reached.
type Measurement struct {
	// Metrics by name, as in "ndcg@10".
	Metrics map[string]float64
	// lists holds listMetrics for each case.
	lists [][len(listMetrics)]float64
}

func newMeasurement(cases int) *Measurement {
	return &Measurement{Metrics: map[string]float64{}, lists: make([][len(listMetrics)]float64, cases)}
}

// Values returns a metric of each case's list, in the order of the cases; nil for Coverage,
// which no list has for itself.
func (m *Measurement) Values(metric Metric) []float64 {
	column := slices.Index(listMetrics[:], metric)
	if column < 0 {
		return nil
	}
	values := make([]float64, len(m.lists))
	for i := range m.lists {
		values[i] = m.lists[i][column]
	}
	return values
}

// caseBatch is how many cases are measured between two looks at the context.
const caseBatch = 64

// Measure asks for a list for each case and holds it against what was chosen. A list is as
// served: the items by their score, equal ones by their number, as far as the score is above
// 0, then the most popular ones that are not in it yet. The sums are the same whatever the
// number of workers, which is GOMAXPROCS where 0. done is told the share that is measured; it
// may be nil. The errors are those of Protocol.Validate and of the context.
func Measure(ctx context.Context, r Ranker, cases []Case, p Protocol, workers int, done func(share float64)) (*Measurement, error) {
	if err := p.Validate(); err != nil {
		return nil, err
	}
	if workers < 1 {
		workers = runtime.GOMAXPROCS(0)
	}
	b := NewBench(cases, p, workers)
	err := parallel.Each(ctx, len(cases), workers, caseBatch, done, func(worker, from, to int) error {
		for i := from; i < to; i++ {
			b.Ask(worker, i, r)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return b.Measured(r.Items()), nil
}

// Bench is a measurement that several workers take part in.
type Bench struct {
	cases    []Case
	protocol Protocol
	m        *Measurement
	// listers are those of the workers, nil where there is none yet.
	listers []*lister
}

// NewBench returns a bench without lists.
func NewBench(cases []Case, p Protocol, workers int) *Bench {
	return &Bench{cases: cases, protocol: p, m: newMeasurement(len(cases)), listers: make([]*lister, workers)}
}

// Ask lets a worker make and measure the list of case i. A worker's ranker is always the same.
func (b *Bench) Ask(worker, i int, r Ranker) {
	if b.listers[worker] == nil {
		b.listers[worker] = newLister(r, b.protocol)
	}
	b.m.lists[i] = b.listers[worker].measure(&b.cases[i])
}

// Measured is what the lists reached, once there is one for each case, of so many items.
func (b *Bench) Measured(items int) *Measurement {
	b.m.means(b.protocol.K)
	b.m.Metrics[Coverage.At(b.protocol.K)] = coverage(b.listers, items)
	return b.m
}

// Interleave puts measurements together, of which number f of n is of the cases f, f + n, f + 2 n ...,
// with lists of k. Coverage, which no list has for itself, is that of the last.
func Interleave(parts []*Measurement, k int) *Measurement {
	cases := 0
	for _, part := range parts {
		cases += len(part.lists)
	}
	m := newMeasurement(cases)
	for f, part := range parts {
		for i, list := range part.lists {
			m.lists[i*len(parts)+f] = list
		}
		m.Metrics[Coverage.At(k)] = part.Metrics[Coverage.At(k)]
	}
	m.means(k)
	return m
}

// Cases is how many lists were measured.
func (m *Measurement) Cases() int { return len(m.lists) }

// MeasureLists holds lists that were made elsewhere, one for each case and each item once, against
// what was chosen, as Measure does. Items below 0 are ones that the dataset, of so many items, does
// not know; what is longer than the protocol's K is left out. The errors are those of
// Protocol.Validate and an event.InvalidError where there is not one list for each case.
func MeasureLists(lists [][]int32, cases []Case, p Protocol, items int) (*Measurement, error) {
	if err := p.Validate(); err != nil {
		return nil, err
	}
	if len(lists) != len(cases) {
		return nil, event.Invalid("lists", "must be one for each of %d cases, are %d", len(cases), len(lists))
	}
	m := newMeasurement(len(cases))
	var places []int
	listed, distinct := make([]bool, items), 0
	for i := range cases {
		list := lists[i][:min(len(lists[i]), p.K)]
		places = hits(list, cases[i].Relevant, places[:0])
		m.lists[i] = measureList(places, cases[i].relevant(), p.K)
		for _, item := range list {
			if item >= 0 && int(item) < items && !listed[item] {
				listed[item] = true
				distinct++
			}
		}
	}
	m.means(p.K)
	m.Metrics[Coverage.At(p.K)] = float64(distinct) / float64(max(1, items))
	return m, nil
}

// means sets the metrics of lists of k.
func (m *Measurement) means(k int) {
	for _, metric := range listMetrics {
		m.Metrics[metric.At(k)], _ = mean(m.Values(metric))
	}
}

// Errors returns the standard errors of the means, by name.
func (m *Measurement) Errors(k int) map[string]float64 {
	all := map[string]float64{}
	for _, metric := range listMetrics {
		_, all[metric.At(k)] = mean(m.Values(metric))
	}
	return all
}

// Difference returns the mean of a[i] - b[i], where both are of case i, and its standard error.
func Difference(a, b []float64) (_, standardError float64) { return mean(differences(a, b)) }

// mean returns the mean of n numbers and its standard error: with s the standard deviation of the
// sample, s / sqrt(n), and 0 where there are fewer than two.
func mean(values []float64) (_, standardError float64) {
	n := float64(len(values))
	var sum, squares float64
	for _, x := range values {
		sum += x
	}
	middle := sum / max(1, n)
	for _, x := range values {
		squares += (x - middle) * (x - middle)
	}
	return middle, math.Sqrt(squares / max(1, n*(n-1)))
}

// coverage is the share of all items that any of them listed.
func coverage(listers []*lister, items int) float64 {
	listed := 0
	for i := range items {
		if slices.ContainsFunc(listers, func(l *lister) bool { return l != nil && l.listed[i] }) {
			listed++
		}
	}
	return float64(listed) / float64(max(1, items))
}

// lister makes one list after the other.
type lister struct {
	ranker   Ranker
	scorer   Scorer
	protocol Protocol
	// list is the one that was made last.
	list   []int32
	places []int
	// mark of an item is below, at or above the turn of the list: not looked at for it,
	// allowed where only candidates are, not to be taken any more.
	mark []uint64
	turn uint64
	// listed are the items that were in any list.
	listed []bool
}

func newLister(r Ranker, p Protocol) *lister {
	return &lister{ranker: r, scorer: r.Scorer(), protocol: p, mark: make([]uint64, r.Items()), listed: make([]bool, r.Items())}
}

// measure returns the listMetrics of a case's list.
func (l *lister) measure(c *Case) [len(listMetrics)]float64 {
	l.rank(c)
	l.places = hits(l.list, c.Relevant, l.places[:0])
	return measureList(l.places, c.relevant(), l.protocol.K)
}

// rank makes the list of a case.
func (l *lister) rank(c *Case) {
	l.turn += 2
	l.list = l.list[:0]
	var scored []sparse.Candidate
	if c.Candidates == nil {
		scored = l.scorer.Score(c.History)
	} else {
		known := make([]int32, 0, len(c.Candidates))
		for _, i := range c.Candidates {
			if l.set(i, l.turn) {
				known = append(known, i)
			}
		}
		scored = l.scorer.ScoreItems(c.History, known)
	}
	for _, i := range c.Hidden {
		l.set(i, l.turn+1)
	}
	if !l.protocol.Seen {
		for _, x := range c.History {
			l.set(x.Item, l.turn+1)
		}
	}
	kept := scored[:0]
	for _, x := range scored {
		if x.Score > 0 && l.open(c, x.Item) {
			kept = append(kept, x)
		}
	}
	kept = sparse.KeepBest(kept, l.protocol.K)
	sparse.ByScore(kept)
	for _, x := range kept {
		l.take(x.Item)
	}
	for _, x := range l.ranker.Popular() {
		if len(l.list) >= l.protocol.K {
			break
		}
		if l.open(c, x.Item) {
			l.take(x.Item)
		}
	}
}

// set marks an item, and tells whether there is such an item.
func (l *lister) set(item int32, mark uint64) bool {
	if item < 0 || int(item) >= len(l.mark) {
		return false
	}
	l.mark[item] = mark
	return true
}

// open tells whether an item may come into the list.
func (l *lister) open(c *Case, item int32) bool {
	if c.Candidates != nil {
		return l.mark[item] == l.turn
	}
	return l.mark[item] <= l.turn
}

func (l *lister) take(item int32) {
	l.mark[item] = l.turn + 1
	l.listed[item] = true
	l.list = append(l.list, item)
}

// hits appends the places of a list that hold one of the items, which are in order.
func hits(list, relevant []int32, places []int) []int {
	for place, item := range list {
		if _, hit := slices.BinarySearch(relevant, item); hit {
			places = append(places, place)
		}
	}
	return places
}
