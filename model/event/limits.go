package event

import "time"

// The bounds of what Attune takes in; Validate names the field that breaks one.
const (
	// MaxIDBytes bounds every id: event, user, anonymous, session, item, recommendation.
	MaxIDBytes = 256
	// MaxTypeBytes bounds the name of an event type.
	MaxTypeBytes = 64
	// MaxLines bounds the lines of one event.
	MaxLines = 1000
	// MaxQuantity bounds the pieces of one line.
	MaxQuantity = 1_000_000
	// MaxAmount bounds, in minor units, a price, a line's total and an event's worth,
	// so that the sums of 200,000 events (2e18) still fit an int64.
	MaxAmount = 10_000_000_000_000
	// MaxAttributesBytes bounds the free attributes of an event or an item, as JSON.
	MaxAttributesBytes = 64 << 10
	// MaxTraits bounds the traits that one event sets or removes.
	MaxTraits = 64
	// MaxTraitKeyBytes bounds the name of a trait.
	MaxTraitKeyBytes = 64
	// MaxTraitTextBytes bounds a trait's value that is text.
	MaxTraitTextBytes = 256
	// MaxSearchQueryBytes bounds what a visitor searched for.
	MaxSearchQueryBytes = 1 << 10
	// MaxTitleBytes bounds an item's title.
	MaxTitleBytes = 1 << 10
	// MaxURLBytes bounds an item's URLs.
	MaxURLBytes = 2 << 10
	// MaxCategories bounds the category paths of one item.
	MaxCategories = 32
	// MaxCategoryBytes bounds one category path.
	MaxCategoryBytes = 512
	// MaxAhead is how far occurred_at may lie ahead of the server's clock: features are
	// pruned against the newest event, so one far ahead would prune all others.
	MaxAhead = 5 * time.Minute
	// MaxSentAhead is how far sent_at may lie ahead of the server's clock.
	MaxSentAhead = 24 * time.Hour
)

// maxViolations bounds how many violations of one message are named.
const maxViolations = 32

// epoch is the earliest time that an event or an item may name.
var epoch = time.Unix(0, 0)

// latest is the first time that an item's availability may no longer name.
var latest = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)
