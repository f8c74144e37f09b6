// Package event is Attune's vocabulary: what a visitor did (Event), what the shop
// offers (Item), what things cost (Money), who a visitor is (Visitor), which values
// are valid, and the errors that every floor shares.
package event

import (
	"strings"
	"time"
)

// Event is one thing that a visitor did. Times are UTC in whole microseconds.
type Event struct {
	ID          string
	Type        Type
	UserID      string
	AnonymousID string
	SessionID   string
	ItemID      string
	Lines       []Line
	Value       Money
	OccurredAt  time.Time
	// SentAt is zero where the client did not say.
	SentAt           time.Time
	ReceivedAt       time.Time
	SearchQuery      string
	RecommendationID string
	Placement        string
	// Attributes is a JSON object, or empty.
	Attributes []byte
}

// Line is one position of a cart, a purchase or a refund.
type Line struct {
	ItemID string
	// Quantity is in pieces, at least 1.
	Quantity int64
	// Price is that of one piece.
	Price Money
}

// Money is an exact amount. The zero Money says that no amount is known.
type Money struct {
	// Currency is an ISO 4217 code, as in "EUR"; empty where no amount is known.
	Currency string
	// Minor is the amount in the currency's minor unit, as in cents.
	Minor int64
}

// Known tells whether an amount was given.
func (m Money) Known() bool { return m.Currency != "" }

// Visitor is the identity under which an event is stored, for good: nothing is moved
// when an anonymous visitor turns out to be a known user. It orders and compares by its text.
type Visitor string

// The kinds of Visitor are the first byte of its text.
const (
	kindUser      = 'u'
	kindAnonymous = 'a'
	kindSession   = 's'
)

// User is the visitor whom the shop knows as id.
func User(id string) Visitor { return Visitor(string(rune(kindUser)) + id) }

// Anonymous is the visitor whom only a device or browser id tells.
func Anonymous(id string) Visitor { return Visitor(string(rune(kindAnonymous)) + id) }

// Session is the visitor of whom nothing but one visit is known.
func Session(id string) Visitor { return Visitor(string(rune(kindSession)) + id) }

// IsUser tells whether the shop knows the visitor as a user.
func (v Visitor) IsUser() bool { return len(v) > 0 && v[0] == kindUser }

// IsAnonymous tells whether a device or browser id is all that is known.
func (v Visitor) IsAnonymous() bool { return len(v) > 0 && v[0] == kindAnonymous }

// IsSession tells whether one visit is all that is known.
func (v Visitor) IsSession() bool { return len(v) > 0 && v[0] == kindSession }

// ID is the user, anonymous or session id itself.
func (v Visitor) ID() string {
	if v == "" {
		return ""
	}
	return string(v[1:])
}

// Visitor tells under whom the event is stored: its user, else its anonymous visitor, else its session.
func (e *Event) Visitor() Visitor {
	switch {
	case e.UserID != "":
		return User(e.UserID)
	case e.AnonymousID != "":
		return Anonymous(e.AnonymousID)
	default:
		return Session(e.SessionID)
	}
}

// Link says that an anonymous visitor and a user were seen on one event. The owner of
// an anonymous visitor is the user of its least link by (OccurredAt, EventID, UserID).
type Link struct {
	AnonymousID string
	UserID      string
	OccurredAt  time.Time
	EventID     string
}

// Link returns the link that the event makes, if it makes one.
func (e *Event) Link() (Link, bool) {
	if e.UserID == "" || e.AnonymousID == "" {
		return Link{}, false
	}
	return Link{AnonymousID: e.AnonymousID, UserID: e.UserID, OccurredAt: e.OccurredAt, EventID: e.ID}, true
}

// Compare orders links of one anonymous visitor; the least names the owner.
func (l Link) Compare(other Link) int {
	if c := l.OccurredAt.Compare(other.OccurredAt); c != 0 {
		return c
	}
	if c := strings.Compare(l.EventID, other.EventID); c != 0 {
		return c
	}
	return strings.Compare(l.UserID, other.UserID)
}
