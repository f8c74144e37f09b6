package event

import (
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"encoding/json"
	"time"
)

// Complete makes a valid event ready to be stored: it puts its type's canonical name,
// brings times to whole microseconds of UTC, values a purchase or refund without a value
// at its lines, derives an id where there is none, and sets ReceivedAt, and OccurredAt
// where that is absent, to received. To complete an event twice changes only ReceivedAt.
func (e *Event) Complete(received time.Time) {
	e.Type = Canonical(string(e.Type))
	e.OccurredAt = micros(e.OccurredAt)
	e.SentAt = micros(e.SentAt)
	e.ReceivedAt = micros(received)
	if (e.Type == Purchase || e.Type == Refund) && !e.Value.Known() {
		e.Value = worth(e.Lines)
	}
	if e.ID == "" {
		e.ID = e.derivedID()
	}
	if e.OccurredAt.IsZero() {
		e.OccurredAt = e.ReceivedAt
	}
}

// micros brings a time to whole microseconds of UTC and leaves the zero time as it is.
func micros(t time.Time) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return time.UnixMicro(t.UnixMicro()).UTC()
}

// worth sums the lines whose price is known.
func worth(lines []Line) Money {
	var sum Money
	for i := range lines {
		if price := lines[i].Price; price.Known() {
			sum.Currency = price.Currency
			sum.Minor += price.Minor * lines[i].Quantity
		}
	}
	return sum
}

// idEncoding writes derived ids: letters and digits that survive any case folding.
var idEncoding = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// derivedID names the event by 128 bits of SHA-256 over what happened and when. What
// differs between a first try and a retry (sent_at, received_at) is left out. The form
// hashed here is fixed for good, apart from the stored form: a retry may come years later.
func (e *Event) derivedID() string {
	var space [512]byte
	b := space[:0]
	for _, s := range [...]string{
		string(e.Type), e.UserID, e.AnonymousID, e.SessionID, e.ItemID,
		e.SearchQuery, e.RecommendationID, e.Placement, sortedJSON(e.Attributes),
	} {
		b = hashText(b, s)
	}
	b = hashMoney(b, e.Value)
	b = binary.BigEndian.AppendUint64(b, uint64(e.OccurredAt.UnixMicro()))
	for i := range e.Lines {
		line := &e.Lines[i]
		b = hashText(b, line.ItemID)
		b = binary.BigEndian.AppendUint64(b, uint64(line.Quantity))
		b = hashMoney(b, line.Price)
	}
	sum := sha256.Sum256(b)
	return "d-" + idEncoding.EncodeToString(sum[:16])
}

func hashText(b []byte, s string) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(len(s)))
	return append(b, s...)
}

func hashMoney(b []byte, m Money) []byte {
	return binary.BigEndian.AppendUint64(hashText(b, m.Currency), uint64(m.Minor))
}

// sortedJSON writes a JSON object with its keys in order and no space, so that the same
// attributes hash the same however a client wrote them; what is no JSON stays as it is.
func sortedJSON(data []byte) string {
	if len(data) == 0 {
		return ""
	}
	var object map[string]any
	if err := json.Unmarshal(data, &object); err != nil {
		return string(data)
	}
	sorted, err := json.Marshal(object)
	if err != nil {
		return string(data)
	}
	return string(sorted)
}
