package propensity

import (
	"cmp"
	"math"
	"slices"
)

// bins is the number of bins that calibration is told in.
const bins = 10

// judged is what one model said of samples, in the order of what it said.
type judged struct {
	chances []float64
	bought  []bool
	// users are numbered from 0 to numbered, as they come in the samples.
	users    []int32
	numbered int
	// ties holds the places at which another chance begins, and the end.
	ties []int
}

// judge asks a regression about samples. O(n (width + log n)).
func judge(l *logistic, samples []*sample, columns columns) *judged {
	chances := make([]float64, len(samples))
	for i, x := range samples {
		chances[i] = l.probability(columns(x))
	}
	return newJudged(chances, samples)
}

// newJudged orders samples by the chances that they were given.
func newJudged(chances []float64, samples []*sample) *judged {
	order, users, numbers := make([]int, len(samples)), make([]int32, len(samples)), map[uint64]int32{}
	for i, x := range samples {
		number, known := numbers[x.user]
		if !known {
			number = int32(len(numbers))
			numbers[x.user] = number
		}
		order[i], users[i] = i, number
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(chances[a], chances[b]) })
	j := &judged{numbered: len(numbers)}
	for n, i := range order {
		if n == 0 || chances[i] != j.chances[n-1] {
			j.ties = append(j.ties, n)
		}
		j.chances, j.bought, j.users = append(j.chances, chances[i]), append(j.bought, samples[i].bought), append(j.users, users[i])
	}
	j.ties = append(j.ties, len(order))
	return j
}

// figures returns all of them but the interval.
func (j *judged) figures() Figures {
	f := Figures{AUC: j.auc(nil), LogLoss: j.logLoss(), Brier: j.brier()}
	f.Calibration, f.CalibrationError = j.calibration()
	return f
}

// auc returns the chance that of two samples, one with a purchase and one without, the one with
// it has the greater chance, ties counted as half (Mann & Whitney 1947), where user u's samples
// are there times[u] times, once where times is nil. It is 1/2 where one of the two is missing. O(n).
func (j *judged) auc(times []int32) float64 {
	var below, positives, won float64
	for t := range len(j.ties) - 1 {
		var with, without float64
		for i := j.ties[t]; i < j.ties[t+1]; i++ {
			n := 1.
			if times != nil {
				n = float64(times[j.users[i]])
			}
			if j.bought[i] {
				with += n
			} else {
				without += n
			}
		}
		won += with * (below + without/2)
		below += without
		positives += with
	}
	if positives == 0 || below == 0 {
		return .5
	}
	return won / (positives * below)
}

// floor bounds chances away from 0 and 1 where their logarithm is taken.
const floor = 1e-12

// logLoss returns the mean of -log of the chance that was given to what happened.
func (j *judged) logLoss() float64 {
	var sum float64
	for i, p := range j.chances {
		if !j.bought[i] {
			p = 1 - p
		}
		sum -= math.Log(max(p, floor))
	}
	return sum / float64(len(j.chances))
}

// brier returns the mean square of the chance less what happened (Brier 1950).
func (j *judged) brier() float64 {
	var sum float64
	for i, p := range j.chances {
		if j.bought[i] {
			p--
		}
		sum += p * p
	}
	return sum / float64(len(j.chances))
}

// calibration parts the samples in the order of their chances into bins of as many samples each,
// to one, and returns with them the expected calibration error: the mean over samples of
// |predicted - observed| of their bin (Naeini et al. 2015).
func (j *judged) calibration() (list []Bin, expected float64) {
	n := len(j.chances)
	for b := range bins {
		from, to := b*n/bins, (b+1)*n/bins
		if from == to {
			continue
		}
		bin := Bin{Samples: to - from}
		for i := from; i < to; i++ {
			bin.Predicted += j.chances[i] / float64(to-from)
			if j.bought[i] {
				bin.Observed += 1 / float64(to-from)
			}
		}
		expected += float64(to-from) / float64(n) * math.Abs(bin.Predicted-bin.Observed)
		list = append(list, bin)
	}
	return list, expected
}
