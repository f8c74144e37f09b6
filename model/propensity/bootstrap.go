package propensity

import (
	"context"
	"math/rand/v2"
	"slices"

	"github.com/attune-shop/attune/model/parallel"
)

// resamples is how often users are drawn again for an interval.
const resamples = 2000

// Interval is where a figure lies with a confidence of 95 %.
type Interval struct {
	Low  float64 `json:"low"`
	High float64 `json:"high"`
}

// resampled returns percentile bootstrap intervals (Efron 1979) of the AUC of each of several
// models over the same samples, and of that of the first less each other. As many users as there
// are are drawn with replacement, with all their samples, so that what a user's weeks have in
// common does not make the interval too narrow. The same for the same seed, however many workers.
// O(2000 samples models).
func resampled(ctx context.Context, models []*judged, seed int64, workers int, done func(share float64)) (each, less []Interval, err error) {
	users := models[0].numbered
	figures := make([][]float64, 2*len(models))
	for i := range figures {
		figures[i] = make([]float64, resamples)
	}
	err = parallel.Each(ctx, resamples, workers, 16, done, func(_, from, to int) error {
		times := make([]int32, users)
		for r := from; r < to; r++ {
			random := rand.New(rand.NewPCG(uint64(seed), uint64(r)))
			clear(times)
			for range users {
				times[random.IntN(users)]++
			}
			for m, j := range models {
				figures[m][r] = j.auc(times)
				figures[len(models)+m][r] = figures[0][r] - figures[m][r]
			}
		}
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	between := make([]Interval, len(figures))
	for i, list := range figures {
		slices.Sort(list)
		between[i] = Interval{Low: list[resamples/40], High: list[resamples-1-resamples/40]}
	}
	return between[:len(models)], between[len(models):], nil
}
