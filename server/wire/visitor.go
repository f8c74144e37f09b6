package wire

import "github.com/attune-shop/attune/model/event"

// Visitor reads which visitor a request means: exactly one of the two ids is given.
func Visitor(userID, anonymousID string) (event.Visitor, error) {
	switch {
	case userID != "" && anonymousID != "":
		return "", event.Invalid("anonymous_id", "must not be given beside user_id")
	case anonymousID != "":
		return event.Anonymous(anonymousID), CheckID("anonymous_id", anonymousID)
	}
	return event.User(userID), CheckID("user_id", userID)
}
