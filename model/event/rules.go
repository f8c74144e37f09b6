package event

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"time"
	"unicode"
	"unicode/utf8"
)

// violations collects what is wrong with one message; nothing is allocated for a valid one.
type violations []Violation

func (v *violations) add(field, rule string, args ...any) {
	if len(*v) >= maxViolations {
		return
	}
	if len(args) > 0 {
		rule = fmt.Sprintf(rule, args...)
	}
	*v = append(*v, Violation{Field: field, Rule: rule})
}

// id asks for 1..MaxIDBytes bytes of UTF-8 without control characters.
func (v *violations) id(field, s string) {
	if s == "" {
		v.add(field, "must not be empty")
		return
	}
	v.optionalID(field, s)
}

// optionalID is id for a field that may be absent.
func (v *violations) optionalID(field, s string) {
	v.text(field, s, MaxIDBytes)
	if hasControl(s) {
		v.add(field, "must not contain control characters")
	}
}

// text asks for at most max bytes of UTF-8.
func (v *violations) text(field, s string, max int) {
	if len(s) > max {
		v.add(field, "must be at most %d bytes, is %d", max, len(s))
		return
	}
	if !utf8.ValidString(s) {
		v.add(field, "must be valid UTF-8")
	}
}

// hasControl looks for control characters in the text as far as it is UTF-8.
func hasControl(s string) bool {
	if len(s) > MaxIDBytes {
		return false
	}
	for i := 0; i < len(s); i++ {
		if c := s[i]; c < ' ' || c == 0x7f {
			return true
		}
		if s[i] >= utf8.RuneSelf {
			for _, r := range s[i:] {
				if unicode.IsControl(r) {
					return true
				}
			}
			return false
		}
	}
	return false
}

// money asks for a known currency and an amount in 0..MaxAmount, where there is an amount.
func (v *violations) money(field string, m Money) {
	if m == (Money{}) {
		return
	}
	if !ValidCurrency(m.Currency) {
		v.add(field+".currency_code", "must be an ISO 4217 code, is %q", clip(m.Currency))
	}
	if m.Minor < 0 || m.Minor > MaxAmount {
		v.add(field+".minor_units", "must be in 0..%d, is %d", int64(MaxAmount), m.Minor)
	}
}

// attributes asks for a JSON object of at most MaxAttributesBytes, where there are any.
func (v *violations) attributes(field string, data []byte) {
	switch {
	case len(data) == 0:
	case len(data) > MaxAttributesBytes:
		v.add(field, "must be at most %d bytes of JSON, is %d", MaxAttributesBytes, len(data))
	case !utf8.Valid(data):
		v.add(field, "must be valid UTF-8")
	case !json.Valid(data) || bytes.TrimLeft(data, " \t\r\n")[0] != '{':
		v.add(field, "must be a JSON object")
	}
}

// between asks for a time in [epoch, until].
func (v *violations) between(field string, t, until time.Time) {
	if t.Before(epoch) {
		v.add(field, "must not be before 1970, is %s", t.UTC().Format(time.RFC3339))
	} else if t.After(until) {
		v.add(field, "must not be after %s, is %s", until.UTC().Format(time.RFC3339), t.UTC().Format(time.RFC3339))
	}
}

// at names a field of the list's element i, as in "lines[2].quantity".
func at(list string, i int, field string) string {
	path := list + "[" + strconv.Itoa(i) + "]"
	if field == "" {
		return path
	}
	return path + "." + field
}

// clip shortens what a message quotes of a bad value.
func clip(s string) string {
	if len(s) > 32 {
		return s[:32] + "..."
	}
	return s
}
