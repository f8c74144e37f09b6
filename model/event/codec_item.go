package event

import (
	"encoding/binary"
	"time"
)

// The bits of a stored item's optional fields, in the order in which they follow.
const (
	hasTitle uint = iota
	hasBrand
	hasImage
	hasPage
	hasCategories
	hasPrice
	hasItemAttributes
	hasFrom
	hasUntil
	itemFields
)

func (i *Item) present() present {
	var p present
	p.mark(hasTitle, i.Title != "")
	p.mark(hasBrand, i.Brand != "")
	p.mark(hasImage, i.ImageURL != "")
	p.mark(hasPage, i.PageURL != "")
	p.mark(hasCategories, len(i.Categories) > 0)
	p.mark(hasPrice, i.Price != (Money{}))
	p.mark(hasItemAttributes, len(i.Attributes) > 0)
	p.mark(hasFrom, !i.AvailableFrom.IsZero())
	p.mark(hasUntil, !i.AvailableUntil.IsZero())
	return p
}

// Append appends the item's stored form to dst: a version byte, the availability, the id,
// the set of fields present, and these fields. Any item survives Append and DecodeItem,
// a valid one or not, times to the microsecond.
func (i *Item) Append(dst []byte) []byte {
	dst = append(dst, itemVersion, byte(i.Availability))
	dst = writeText(dst, i.ID)
	p := i.present()
	dst = binary.AppendUvarint(dst, uint64(p))
	for n, s := range [...]string{i.Title, i.Brand, i.ImageURL, i.PageURL} {
		if p.has(hasTitle + uint(n)) {
			dst = writeText(dst, s)
		}
	}
	if p.has(hasCategories) {
		dst = binary.AppendUvarint(dst, uint64(len(i.Categories)))
		for _, path := range i.Categories {
			dst = writeText(dst, path)
		}
	}
	if p.has(hasPrice) {
		dst, _ = writeMoney(dst, i.Price, "")
	}
	if p.has(hasItemAttributes) {
		dst = binary.AppendUvarint(dst, uint64(len(i.Attributes)))
		dst = append(dst, i.Attributes...)
	}
	if p.has(hasFrom) {
		dst = binary.AppendVarint(dst, i.AvailableFrom.UnixMicro())
	}
	if p.has(hasUntil) {
		dst = binary.AppendVarint(dst, i.AvailableUntil.UnixMicro())
	}
	return dst
}

// DecodeItem reads what Item.Append wrote. The item's strings share one copy of data;
// data itself may be used again. Damaged bytes are ErrCorrupt, a later version's
// ErrNewerVersion; the item is then not to be used.
func DecodeItem(data []byte) (Item, error) {
	var i Item
	r, err := open(data, "item", itemVersion)
	if err != nil {
		return i, err
	}
	if c := r.take(1); c != "" {
		i.Availability = Availability(c[0])
	}
	i.ID = r.str()
	p := present(r.uvarint())
	if !p.within(int(itemFields)) {
		r.fail()
	}
	for n, s := range [...]*string{&i.Title, &i.Brand, &i.ImageURL, &i.PageURL} {
		if p.has(hasTitle + uint(n)) {
			*s = r.str()
		}
	}
	if p.has(hasCategories) {
		if n := r.count(1); n > 0 {
			i.Categories = make([]string, n)
		}
		for n := range i.Categories {
			i.Categories[n] = r.str()
		}
	}
	if p.has(hasPrice) {
		currency := ""
		i.Price = r.money(&currency)
	}
	if p.has(hasItemAttributes) {
		i.Attributes = r.bytes()
	}
	for n, t := range [...]*time.Time{&i.AvailableFrom, &i.AvailableUntil} {
		if p.has(hasFrom + uint(n)) {
			*t = r.time()
		}
	}
	return i, r.close("item")
}
