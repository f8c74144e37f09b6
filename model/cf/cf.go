// Package cf is collaborative filtering: what visitors did becomes a Dataset, a Dataset
// becomes a Snapshot, and a Snapshot scores items for a visitor of whom nothing is known
// but recent interactions.
//
// The path: Builder -> Dataset (dataset.go) -> Evaluate (evaluate.go) on what is held out
// (holdout.go, draw.go), within a budget (cost.go), with the Settings that are tried (settings.go),
// and why (choice.go) -> Fit (train.go) -> Snapshot (snapshot.go, score.go, explain.go; its binary
// form in encode.go, encodeblend.go and decode.go).
//
// The algorithms: ease.go with gram.go; spectrum.go with eigen.go, spectral.go, filtertrial.go and
// spectralchoice.go; als.go with foldin.go; knn.go; together.go; popularity.go. A blend of them
// (blend.go, situation.go; made by mixing.go and softmax.go) also has a sequence (sequence.go:
// visits.go, moves.go, recall.go). What a history says to any of them is in taste.go.
//
// Measure (measure.go, metrics.go, bootstrap.go) asks a Snapshot for the lists of Cases
// (case.go) by a Protocol (protocol.go), in Evaluate and in `attune evaluate` alike.
//
// Everything is pure and deterministic: the same dataset, options and seed give the same
// bytes, whatever the order in which interactions were added and however many workers ran.
package cf

import (
	"math"

	"github.com/attune-shop/attune/model/event"
)

// The algorithms by name. Auto stands for the best of the others on held-out interactions.
const (
	Auto       = "auto"
	EASE       = "ease"
	Spectral   = "spectral"
	ALS        = "als"
	ItemKNN    = "item_knn"
	Popularity = "popularity"
	// Blend ranks what several of the others, and counts of what follows what in a visit, bring up
	// by a weighted sum of what each says of it.
	Blend = "blend"
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

// damp turns summed weights into a value: log2(1 + w), so that weight 1 gives 1 and the
// tenth view of an item says less than the first.
func damp(w float64) float64 { return math.Log2(1 + w) }
