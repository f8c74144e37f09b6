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
