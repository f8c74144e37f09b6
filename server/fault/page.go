package fault

import (
	"encoding/base64"
	"encoding/binary"

	"github.com/cespare/xxhash/v2"

	"github.com/attune-shop/attune/model/event"
)

// The number of entries on a page.
const (
	DefaultPageSize = 100
	MaxPageSize     = 1000
)

// PageSize returns the page size asked for, DefaultPageSize for 0. It names page_size in
// its error.
func PageSize(asked int32) (int, error) {
	switch {
	case asked == 0:
		return DefaultPageSize, nil
	case asked < 0 || asked > MaxPageSize:
		return 0, event.Invalid("page_size", "must be 1..%d, or 0 for %d; is %d", MaxPageSize, DefaultPageSize, asked)
	}
	return int(asked), nil
}

// EncodeToken returns a page token that says where the next page of a list begins. Kind
// names the list and everything that it was narrowed by; a token is good for its kind only.
func EncodeToken(kind, value string) string {
	data := binary.BigEndian.AppendUint64(nil, tokenSum(kind, value))
	return base64.RawURLEncoding.EncodeToString(append(data, value...))
}

// DecodeToken returns the value that EncodeToken put in. A token that is damaged or
// belongs to another list is an *event.InvalidError that names page_token.
func DecodeToken(kind, token string) (string, error) {
	data, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil || len(data) < 8 {
		return "", event.Invalid("page_token", "is not a page token")
	}
	value := string(data[8:])
	if binary.BigEndian.Uint64(data) != tokenSum(kind, value) {
		return "", event.Invalid("page_token", "is not a page token of this list")
	}
	return value, nil
}

func tokenSum(kind, value string) uint64 {
	sum := xxhash.NewWithSeed(uint64(len(kind)))
	_, _ = sum.WriteString(kind) // it never fails
	_, _ = sum.WriteString(value)
	return sum.Sum64()
}
