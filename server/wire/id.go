package wire

import (
	"strings"

	"github.com/attune-shop/attune/model/event"
)

// CheckID asks of an id in a request what Validate asks of the ids of events and items.
// Its error is an *event.InvalidError of the field.
func CheckID(field, id string) error {
	item := event.Item{ID: id}
	for _, v := range item.Validate() {
		if v.Field == "item_id" {
			return event.Invalid(field, "%s", v.Rule)
		}
	}
	return nil
}

const (
	// maxNameBytes bounds the ids that operators give, as those of segments and webhooks.
	maxNameBytes = 128
	// nameLetters are those that such an id is of: it stands in URLs, in files and on command lines as it is.
	nameLetters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_."
)

// CheckName says what is wrong with an id that an operator gives, nothing where it can be one.
func CheckName(field, id string) []event.Violation {
	switch {
	case id == "" || len(id) > maxNameBytes:
		return event.Invalid(field, "must be 1 to %d characters", maxNameBytes).Violations
	case strings.Trim(id, nameLetters) != "":
		return event.Invalid(field, "must be of letters a to z, digits, '-', '_' and '.'").Violations
	}
	return nil
}
