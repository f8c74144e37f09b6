package event

import (
	"encoding/binary"
	"fmt"
	"time"
)

// The bits of a stored event's optional fields, in the order in which they follow.
const (
	hasID uint = iota
	hasUser
	hasAnonymous
	hasSession
	hasItem
	hasLines
	hasValue
	hasOccurred
	hasSent
	hasReceived
	hasQuery
	hasRecommendation
	hasPlacement
	hasAttributes
	eventFields
)

func (e *Event) present() present {
	var p present
	p.mark(hasID, e.ID != "")
	p.mark(hasUser, e.UserID != "")
	p.mark(hasAnonymous, e.AnonymousID != "")
	p.mark(hasSession, e.SessionID != "")
	p.mark(hasItem, e.ItemID != "")
	p.mark(hasLines, len(e.Lines) > 0)
	p.mark(hasValue, e.Value != (Money{}))
	p.mark(hasOccurred, !e.OccurredAt.IsZero())
	p.mark(hasSent, !e.SentAt.IsZero())
	p.mark(hasReceived, !e.ReceivedAt.IsZero())
	p.mark(hasQuery, e.SearchQuery != "")
	p.mark(hasRecommendation, e.RecommendationID != "")
	p.mark(hasPlacement, e.Placement != "")
	p.mark(hasAttributes, len(e.Attributes) > 0)
	return p
}

// Append appends the event's stored form to dst: a version byte, the type's number (or 0
// and its name), the set of fields present, and these fields. Numbers are varints, times
// microseconds since 1970, sent and received ones relative to the time before them.
// Any event survives Append and Decode, a valid one or not, times to the microsecond.
func (e *Event) Append(dst []byte) []byte {
	number := e.Type.Number()
	dst = append(dst, eventVersion, number)
	if number == 0 {
		dst = writeText(dst, string(e.Type))
	}
	p := e.present()
	dst = binary.AppendUvarint(dst, uint64(p))
	for i, s := range [...]string{e.ID, e.UserID, e.AnonymousID, e.SessionID, e.ItemID} {
		if p.has(uint(i)) {
			dst = writeText(dst, s)
		}
	}
	currency := ""
	if p.has(hasLines) {
		dst = binary.AppendUvarint(dst, uint64(len(e.Lines)))
		for i := range e.Lines {
			line := &e.Lines[i]
			dst = writeText(dst, line.ItemID)
			dst = binary.AppendVarint(dst, line.Quantity)
			dst, currency = writeMoney(dst, line.Price, currency)
		}
	}
	if p.has(hasValue) {
		dst, _ = writeMoney(dst, e.Value, currency)
	}
	before := int64(0)
	for i, t := range [...]time.Time{e.OccurredAt, e.SentAt, e.ReceivedAt} {
		if p.has(hasOccurred + uint(i)) {
			at := t.UnixMicro()
			dst = binary.AppendVarint(dst, at-before)
			before = at
		}
	}
	for i, s := range [...]string{e.SearchQuery, e.RecommendationID, e.Placement} {
		if p.has(hasQuery + uint(i)) {
			dst = writeText(dst, s)
		}
	}
	if p.has(hasAttributes) {
		dst = binary.AppendUvarint(dst, uint64(len(e.Attributes)))
		dst = append(dst, e.Attributes...)
	}
	return dst
}

// lineBytes is the least that a stored line takes.
const lineBytes = 3

// Decode reads what Append wrote. The event's strings share one copy of data, so that
// keeping one of them keeps all; data itself may be used again. Damaged bytes are
// ErrCorrupt, a later version's ErrNewerVersion, and so is a type whose number this version
// does not know; the event is then not to be used.
func Decode(data []byte) (Event, error) {
	var e Event
	r, err := open(data, "event", eventVersion)
	if err != nil {
		return e, err
	}
	if number := r.uvarint(); number == 0 {
		e.Type = Type(r.str())
	} else if known, ok := TypeOf(uint8(min(number, 255))); ok {
		e.Type = known
	} else {
		return e, fmt.Errorf("event: type %d, known up to %d: %w", number, len(numbered)-1, ErrNewerVersion)
	}
	p := present(r.uvarint())
	if !p.within(int(eventFields)) {
		r.fail()
	}
	for i, s := range [...]*string{&e.ID, &e.UserID, &e.AnonymousID, &e.SessionID, &e.ItemID} {
		if p.has(uint(i)) {
			*s = r.str()
		}
	}
	currency := ""
	if p.has(hasLines) {
		if n := r.count(lineBytes); n > 0 {
			e.Lines = make([]Line, n)
		}
		for i := range e.Lines {
			line := &e.Lines[i]
			line.ItemID = r.str()
			line.Quantity = r.varint()
			line.Price = r.money(&currency)
		}
	}
	if p.has(hasValue) {
		e.Value = r.money(&currency)
	}
	before := int64(0)
	for i, t := range [...]*time.Time{&e.OccurredAt, &e.SentAt, &e.ReceivedAt} {
		if p.has(hasOccurred + uint(i)) {
			before += r.varint()
			*t = time.UnixMicro(before).UTC()
		}
	}
	for i, s := range [...]*string{&e.SearchQuery, &e.RecommendationID, &e.Placement} {
		if p.has(hasQuery + uint(i)) {
			*s = r.str()
		}
	}
	if p.has(hasAttributes) {
		e.Attributes = r.bytes()
	}
	return e, r.close("event")
}
