package event

import "time"

// Item is one thing that the shop offers.
type Item struct {
	ID    string
	Title string
	// Categories are paths, each from the widest to the narrowest, parted by " > ".
	Categories   []string
	Brand        string
	Price        Money
	Availability Availability
	ImageURL     string
	PageURL      string
	// Attributes is a JSON object, or empty.
	Attributes []byte
	// AvailableFrom and AvailableUntil bound [from, until); zero is no bound.
	AvailableFrom  time.Time
	AvailableUntil time.Time
}

// Availability says whether an item can be bought.
type Availability uint8

// The availabilities; their numbers are stored and never change.
const (
	InStock    Availability = 1
	OutOfStock Availability = 2
	Preorder   Availability = 3
	Backorder  Availability = 4
)

// AvailableAt tells whether the item may be shown at now.
func (i *Item) AvailableAt(now time.Time) bool {
	return i.Availability != OutOfStock &&
		(i.AvailableFrom.IsZero() || !now.Before(i.AvailableFrom)) &&
		(i.AvailableUntil.IsZero() || now.Before(i.AvailableUntil))
}
