// Package cf is collaborative filtering: what visitors did (feedback.Dataset) becomes a Snapshot, and
// a Snapshot scores items for a visitor of whom nothing is known but recent interactions.
//
// The path: Evaluate (evaluate.go) on what is held out (eval.Hold), within a budget (cost.go), with the
// Settings that are tried (settings.go), and why (choice.go) -> Fit (train.go) -> Snapshot (snapshot.go,
// score.go, explain.go; its binary form in encode.go, encodeblend.go and decode.go).
//
// The algorithms are packages of their own, none of which knows this one: linear, spectral and
// sequence, over feedback, eval and sparse. Here are ALS (als.go, foldin.go), and the blend of all of
// them (blend.go, situation.go; made by mixing.go and softmax.go).
//
// Everything is pure and deterministic: the same dataset, options and seed give the same
// bytes, whatever the order in which interactions were added and however many workers ran.
package cf

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
