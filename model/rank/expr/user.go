package expr

import "time"

// User is what a rule sees as user. Its fields are those of the contract's User message.
type User struct {
	UserID       string
	AnonymousIDs []string
	// EventCounts are those of all time, by type.
	EventCounts  map[string]int64
	Types        []TypeFeatures
	FirstSeenAt  time.Time
	LastSeenAt   time.Time
	Purchases    Counts
	Spent        []Amounts
	AverageOrder map[string]int64
	LastPurchase time.Time
	Categories   map[string]float64
	Brands       map[string]float64
	RecentItems  []RecentItem
	CartItemIDs  []string
}

// Counts counts events over windows that end now.
type Counts struct{ D1, D7, D30, D90, All int64 }

// Amounts sums amounts of one currency over windows that end now, in minor units.
type Amounts struct {
	Currency string
	Counts
}

// TypeFeatures are the features of one event type.
type TypeFeatures struct {
	Type            string
	Counts          Counts
	Values          []Amounts
	FirstAt, LastAt time.Time
}

// RecentItem is one item of a recent event.
type RecentItem struct {
	ItemID   string
	Type     string
	At       time.Time
	Quantity int64
}
