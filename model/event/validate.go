package event

import "time"

// Validate names every rule that the event breaks (the first 32), none where it is valid.
// Fields are named as in the contract. It changes nothing; now is the server's clock.
func (e *Event) Validate(now time.Time) []Violation {
	var v violations
	e.checkNames(&v)
	e.checkTimes(&v, now)
	e.checkContent(&v)
	e.checkMoney(&v)
	v.text("search_query", e.SearchQuery, MaxSearchQueryBytes)
	v.optionalID("recommendation_id", e.RecommendationID)
	v.optionalID("placement", e.Placement)
	if Canonical(string(e.Type)) == Identify {
		v.traits("attributes", e.Attributes)
	} else {
		v.attributes("attributes", e.Attributes)
	}
	return v
}

// checkNames holds the event's ids and type to their rules.
func (e *Event) checkNames(v *violations) {
	v.optionalID("event_id", e.ID)
	if e.ID == "" && e.OccurredAt.IsZero() {
		v.add("event_id", "must be given where occurred_at is not: a retry could not be told from a second event")
	}
	v.optionalID("user_id", e.UserID)
	v.optionalID("anonymous_id", e.AnonymousID)
	v.optionalID("session_id", e.SessionID)
	if e.UserID == "" && e.AnonymousID == "" && e.SessionID == "" {
		v.add("user_id", "one of user_id, anonymous_id and session_id must be given")
	}
	if t := string(Canonical(string(e.Type))); t == "" {
		v.add("type", "must not be empty")
	} else if !validType(t) {
		v.add("type", "must be 1..%d of a-z, 0-9, _, . and -, a letter first, or a known alias; is %q", MaxTypeBytes, clip(t))
	}
}

// checkTimes holds the event's times to their rules. A zero time is an absent one.
func (e *Event) checkTimes(v *violations, now time.Time) {
	if !e.OccurredAt.IsZero() {
		v.between("occurred_at", e.OccurredAt, now.Add(MaxAhead))
	}
	if !e.SentAt.IsZero() {
		v.between("sent_at", e.SentAt, now.Add(MaxSentAhead))
	}
}

// checkContent asks for what the event's type cannot do without, and checks items and quantities.
func (e *Event) checkContent(v *violations) {
	v.optionalID("item_id", e.ItemID)
	switch t := Canonical(string(e.Type)); t {
	case Purchase, Refund:
		if len(e.Lines) == 0 {
			v.add("lines", "must not be empty for %s", t)
		}
	case ViewItem, SelectItem, AddToCart, RemoveFromCart, AddToWishlist:
		if e.ItemID == "" && len(e.Lines) == 0 {
			v.add("item_id", "item_id or lines must be given for %s", t)
		}
	}
	if len(e.Lines) > MaxLines {
		v.add("lines", "must be at most %d, are %d", MaxLines, len(e.Lines))
		return
	}
	for i := range e.Lines {
		line := &e.Lines[i]
		if !plainID(line.ItemID) {
			v.id(at("lines", i, "item_id"), line.ItemID)
		}
		if line.Quantity < 1 || line.Quantity > MaxQuantity {
			v.add(at("lines", i, "quantity"), "must be in 1..%d, is %d", MaxQuantity, line.Quantity)
		}
	}
}

// checkMoney asks for known currencies, one in an event, and amounts whose totals stay in bounds.
func (e *Event) checkMoney(v *violations) {
	v.money("value", e.Value)
	if len(e.Lines) > MaxLines {
		return
	}
	first, total := e.Value.Currency, int64(0)
	for i := range e.Lines {
		line := &e.Lines[i]
		price := line.Price
		if price == (Money{}) {
			continue
		}
		if price.Minor < 0 || price.Minor > MaxAmount || !ValidCurrency(price.Currency) {
			v.money(at("lines", i, "price"), price)
		}
		if first == "" {
			first = price.Currency
		}
		if price.Currency != first {
			v.add(at("lines", i, "price.currency_code"), "must be the event's one currency %q, is %q", clip(first), clip(price.Currency))
		}
		if price.Minor < 0 || line.Quantity < 1 {
			continue
		}
		if price.Minor > (MaxAmount-total)/line.Quantity {
			v.add(at("lines", i, "price.minor_units"), "lines must be worth at most %d in all", int64(MaxAmount))
			return
		}
		total += price.Minor * line.Quantity
	}
}

// validType tells whether name may name an event type.
func validType(name string) bool {
	if name == "" || len(name) > MaxTypeBytes || name[0] < 'a' || name[0] > 'z' {
		return false
	}
	for i := 1; i < len(name); i++ {
		c := name[i]
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '_' && c != '.' && c != '-' {
			return false
		}
	}
	return true
}

// plainID tells quickly that an id is valid; ids beyond ASCII take the longer way.
func plainID(s string) bool {
	if s == "" || len(s) > MaxIDBytes {
		return false
	}
	for i := 0; i < len(s); i++ {
		if s[i] < ' ' || s[i] >= 0x7f {
			return false
		}
	}
	return true
}
