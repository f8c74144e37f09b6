package feedback

import (
	"math"

	"github.com/attune-shop/attune/model/event"
)

// Weights say how much interest one event of a type shows, in training and in serving.
// A negative weight takes interest away. Of is the weight of every type.
type Weights map[event.Type]float64

// CustomWeight is the weight of a type to which Attune gives no meaning and for which
// Weights has no entry.
const CustomWeight = 1

// Of returns the weight of an event of type t: its entry, else CustomWeight for a custom
// type and 0 for any other.
func (w Weights) Of(t event.Type) float64 {
	v, ok := w[t]
	if !ok && t.Number() == 0 {
		return CustomWeight
	}
	return v
}

// DefaultWeights returns the weights that are used where nothing else is set.
func DefaultWeights() Weights {
	return Weights{
		event.Purchase:       5,
		event.AddToCart:      3,
		event.AddToWishlist:  2,
		event.Rate:           2,
		event.ViewItem:       1,
		event.SelectItem:     1,
		event.RemoveFromCart: -1,
		event.Refund:         -3,
	}
}

// Training returns the weight of an event of type t in a Dataset: 0 where Of is negative
// or not a number, since a Dataset holds interest only.
func (w Weights) Training(t event.Type) float32 {
	v := w.Of(t)
	if !(v > 0) || math.IsInf(v, 0) {
		return 0
	}
	return float32(v)
}
