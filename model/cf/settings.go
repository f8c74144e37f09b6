package cf

import (
	"fmt"
	"slices"
	"strings"

	"github.com/attune-shop/attune/model/cf/feedback"
	"github.com/attune-shop/attune/model/cf/linear"
	"github.com/attune-shop/attune/model/cf/spectral"
)

// Settings are what a fit is told beside its data. What an algorithm does not know is 0.
type Settings struct {
	// Lambda is the regularization: EASE adds it to the diagonal of the Gram matrix, ALS to that
	// of the system of a user without interactions.
	Lambda float64
	// Dropout is the probability, 0 and more and below 1, with which EASE learns as if entries
	// were left out.
	Dropout float64
	// Near is the share of EASE's Gram matrix, 0 to 1, that counts by how close in time a user
	// chose two items.
	Near float64
	// Debias is how much less an item that many chose says of others, in EASE: its share is
	// divided by its count to this power.
	Debias float64
	// Filter is what Spectral is fitted with, and of no other.
	Filter spectral.Filter
	// Fade is the number of newer items after which an item of a history counts half, in every
	// algorithm; 0 where all count alike.
	Fade float32
}

// ease are those of EASE, for rows of so many items.
func (s Settings) ease(width int) linear.EASE {
	return linear.EASE{Lambda: s.Lambda, Dropout: s.Dropout, Near: s.Near, Debias: s.Debias, Width: width}
}

// setting is one of Settings by its name.
type setting struct {
	name  string
	value float64
}

// named returns what is set, in the order in which it is told.
func (s Settings) named() []setting {
	all := []setting{
		{"lambda", s.Lambda}, {"dropout", s.Dropout}, {"near", s.Near}, {"debias", s.Debias},
		{"factors", float64(s.Filter.Factors)}, {"low_pass", s.Filter.LowPass}, {"exponent", s.Filter.Exponent},
		{"sharpening", s.Filter.Sharpening},
		{"fade", float64(s.Fade)},
	}
	return slices.DeleteFunc(all, func(x setting) bool { return x.value == 0 })
}

// Values returns what is set, by name.
func (s Settings) Values() map[string]float64 {
	values := map[string]float64{}
	for _, x := range s.named() {
		values[x.name] = x.value
	}
	return values
}

// String lists what is set.
func (s Settings) String() string {
	var parts []string
	for _, x := range s.named() {
		parts = append(parts, fmt.Sprintf("%s %g", x.name, x.value))
	}
	return strings.Join(parts, ", ")
}

// step is one setting that is tried: it returns the best so far with each value of it.
type step func(best Settings) []Settings

// vary makes a step of one setting.
func vary[T any](set func(s *Settings, x T), values ...T) step {
	return func(best Settings) []Settings {
		all := make([]Settings, len(values))
		for i, x := range values {
			all[i] = best
			set(&all[i], x)
		}
		return all
	}
}

// search returns what an algorithm is fitted with unseen, and what is tried from there, one
// setting after the other, those that promise most first: a budget leaves out the last ones.
func search(algorithm string, d *feedback.Dataset, o Options) (Settings, []step) {
	if o.Settings != nil {
		return *o.Settings, nil
	}
	lambda := func(s *Settings, x float64) { s.Lambda = x }
	near := func(s *Settings, x float64) { s.Near = x }
	var first Settings
	var steps []step
	switch algorithm {
	case EASE:
		first = Settings{Lambda: 200, Dropout: .5}
		if d.Dated() {
			steps = append(steps, vary(near, .5))
		}
		steps = append(steps, vary(lambda, 50, 20, 100, 400),
			vary(func(s *Settings, x float64) { s.Dropout = x }, 0, .33, .67),
			vary(func(s *Settings, x float64) { s.Debias = x }, .05, .1, .2))
	case Spectral: // what is chosen from there is spectral.Choose's
		first = Settings{Filter: spectral.First}
	case ALS:
		first = Settings{Lambda: 4}
		steps = append(steps, vary(lambda, 1))
	}
	return first, steps
}

// fades are tried once everything else is chosen: they cost no fit.
var fades = []float32{5, 20, 80}
