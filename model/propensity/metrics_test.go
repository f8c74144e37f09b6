package propensity

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// anySamples draws samples of some users, and chances with many ties.
func anySamples(rng *rand.Rand, n, users int) (chances []float64, samples []*sample) {
	for range n {
		p := float64(1+rng.IntN(20)) / 25
		samples = append(samples, &sample{user: uint64(rng.IntN(users)), bought: rng.Float64() < p})
		chances = append(chances, p)
	}
	return chances, samples
}

// naiveAUC looks at all pairs.
func naiveAUC(chances []float64, samples []*sample, times map[uint64]int) float64 {
	var won, pairs float64
	for i, x := range samples {
		for j, y := range samples {
			if !x.bought || y.bought {
				continue
			}
			n := float64(times[x.user] * times[y.user])
			pairs += n
			switch {
			case chances[i] > chances[j]:
				won += n
			case chances[i] == chances[j]:
				won += n / 2
			}
		}
	}
	return won / pairs
}

func TestAUC(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	chances, samples := anySamples(rng, 300, 40)
	j := newJudged(chances, samples)
	once, drawn, numbered := map[uint64]int{}, map[uint64]int{}, make([]int32, j.numbered)
	numbers := map[uint64]int{}
	for _, x := range samples {
		once[x.user] = 1
		if _, known := numbers[x.user]; !known {
			numbers[x.user] = len(numbers)
			drawn[x.user] = rng.IntN(4)
			numbered[numbers[x.user]] = int32(drawn[x.user])
		}
	}
	if got, want := j.auc(nil), naiveAUC(chances, samples, once); math.Abs(got-want) > 1e-12 {
		t.Errorf("%v, not %v", got, want)
	}
	if got, want := j.auc(numbered), naiveAUC(chances, samples, drawn); math.Abs(got-want) > 1e-12 {
		t.Errorf("of users drawn %v times: %v, not %v", drawn, got, want)
	}
	for _, x := range samples {
		x.bought = true
	}
	if got := newJudged(chances, samples).auc(nil); got != .5 {
		t.Errorf("where all purchase: %v", got)
	}
	if f := newJudged([]float64{0}, []*sample{{bought: true}}).figures(); f.AUC != .5 || !finite(f.LogLoss) || f.Brier != 1 {
		t.Errorf("of one sample: %+v", f)
	}
}

func TestFigures(t *testing.T) {
	chances, samples := anySamples(rand.New(rand.NewPCG(3, 1)), 1003, 50)
	f := newJudged(chances, samples).figures()
	var logLoss, brier, predicted, observed float64
	for i, p := range chances {
		y := truth(samples[i].bought)
		logLoss -= (y*math.Log(p) + (1-y)*math.Log(1-p)) / 1003
		brier += (p - y) * (p - y) / 1003
		predicted, observed = predicted+p, observed+y
	}
	if math.Abs(f.LogLoss-logLoss) > 1e-12 || math.Abs(f.Brier-brier) > 1e-12 {
		t.Errorf("%+v, not log loss %v and Brier %v", f, logLoss, brier)
	}
	var expected float64
	n, last := 0, 0.
	for _, b := range f.Calibration {
		if b.Predicted < last || b.Samples < 100 || b.Samples > 101 {
			t.Errorf("a bin %+v after %v", b, last)
		}
		n, last = n+b.Samples, b.Predicted
		predicted, observed = predicted-b.Predicted*float64(b.Samples), observed-b.Observed*float64(b.Samples)
		expected += math.Abs(b.Predicted-b.Observed) * float64(b.Samples) / 1003
	}
	if n != 1003 || len(f.Calibration) != bins || math.Abs(predicted) > 1e-6 || math.Abs(observed) > 1e-6 || math.Abs(f.CalibrationError-expected) > 1e-12 {
		t.Errorf("%d samples in bins that leave %v and %v: %+v", n, predicted, observed, f)
	}
}

// TestResampled: what is drawn does not depend on the workers, a model is as good as itself, and
// the interval is as wide as theory has it where users have one sample each.
func TestResampled(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 1))
	chances, samples := anySamples(rng, 2000, 1)
	noise := make([]float64, len(chances))
	for i := range samples {
		samples[i].user, noise[i] = uint64(i), rng.Float64()
	}
	good, bad := newJudged(chances, samples), newJudged(noise, samples)
	each, less, err := resampled(t.Context(), []*judged{good, bad, good}, 1, 1, nil)
	if err != nil {
		t.Fatal(err)
	}
	again, lessAgain, _ := resampled(t.Context(), []*judged{good, bad, good}, 1, 2, nil)
	if !cmp.Equal(each, again) || !cmp.Equal(less, lessAgain) {
		t.Error("two workers draw something else")
	}
	if less[0] != (Interval{}) || less[2] != (Interval{}) || less[1].Low <= 0 {
		t.Errorf("differences %+v", less)
	}
	// Hanley & McNeil 1982.
	a, pos, neg := good.auc(nil), 0., 0.
	for _, b := range good.bought {
		pos, neg = pos+truth(b), neg+1-truth(b)
	}
	q1, q2 := a/(2-a), 2*a*a/(1+a)
	deviation := math.Sqrt((a*(1-a) + (pos-1)*(q1-a*a) + (neg-1)*(q2-a*a)) / (pos * neg))
	if width := each[0].High - each[0].Low; math.Abs(width/(2*1.96*deviation)-1) > .15 || each[0].Low > a || each[0].High < a {
		t.Errorf("%v in %+v, with a standard deviation of %v", a, each[0], deviation)
	}
}
