// Package propensity foretells who will purchase: the probability that a user does so within
// Horizon, by a logistic regression that is fitted on the shop's own history.
//
// features.go turns a feature.State at a time into numbers, with the day that clock.go gives them;
// samples.go makes samples of a history, each a user at a cut in time and whether the user
// purchased thereafter; logistic.go fits; learn.go chooses on one part of the history, measures on
// the next (metrics.go, bootstrap.go), and reports. encoding.go has the stored form of a Model.
package propensity

import (
	"errors"
	"time"

	"github.com/attune-shop/attune/model/feature"
)

// Horizon is how far ahead a purchase is foretold.
const Horizon = 7 * 24 * time.Hour

// ErrTooLittle says that a history is too short, or holds too few purchases, to learn from.
var ErrTooLittle = errors.New("too little history")

// Model is what was learned. It is not changed any more, and may be used concurrently.
type Model struct{ logistic *logistic }

// Probability returns the probability that the user whose state it is purchases in
// [now, now+Horizon), 0 for one without events. With nothing new happening it is the same until the
// time returned, a midnight of UTC after now; for good where that is the zero time. It takes time
// linear in what the state holds.
func (m *Model) Probability(s *feature.State, now time.Time) (p float64, until time.Time) {
	if s.Events() == 0 {
		return 0, time.Time{}
	}
	v, until := featuresOf(s, now)
	return m.logistic.probability(v[:]), until
}
