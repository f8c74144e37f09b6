package event

import (
	"bytes"
	"encoding/json"
	"fmt"
	"iter"
	"unicode/utf8"
)

// Traits returns what an Identify event says of its user, key by key: text, a float64 or a
// bool, or nil, which removes the trait; of any other event nothing. Keys and values that
// Validate refuses are left out: a custom type of the name, before it had a meaning, may
// have brought them.
func (e *Event) Traits() iter.Seq2[string, any] {
	return func(yield func(string, any) bool) {
		if e.Type != Identify || len(e.Attributes) == 0 {
			return
		}
		eachTrait(e.Attributes, func(key string, value any, rule string) bool {
			return rule != "" || !ValidTraitKey(key) || yield(key, value)
		})
	}
}

// traits asks for an object of at most MaxTraits keys and values that a trait may have,
// where there are attributes.
func (v *violations) traits(field string, data []byte) {
	if len(data) > MaxAttributesBytes || !utf8.Valid(data) {
		v.attributes(field, data)
		return
	}
	keys, refused := 0, false
	refuse := func(field, rule string, args ...any) {
		v.add(field, rule, args...)
		refused = true
	}
	eachTrait(data, func(key string, _ any, rule string) bool {
		if keys++; keys > MaxTraits {
			refuse(field, "must be at most %d traits", MaxTraits)
			return false
		}
		name := field
		if key != "" {
			name += "." + clip(key)
		}
		if !ValidTraitKey(key) {
			refuse(name, "a trait's name must be 1..%d of a-z, A-Z, 0-9, _, . and -, a letter first; is %q", MaxTraitKeyBytes, clip(key))
		}
		if rule != "" {
			refuse(name, "%s", rule)
		}
		return true
	})
	if !refused {
		v.attributes(field, data)
	}
}

// The rules of a trait's value.
var (
	traitRule     = "must be text, a finite number, true, false or null"
	traitTextRule = fmt.Sprintf("must be at most %d bytes of text", MaxTraitTextBytes)
)

// eachTrait reads a JSON object key by key, until fn returns false or the rest is no JSON.
// Where the value cannot be a trait's, rule says why.
func eachTrait(data []byte, fn func(key string, value any, rule string) bool) {
	d := json.NewDecoder(bytes.NewReader(data))
	if token, err := d.Token(); err != nil || token != json.Delim('{') {
		return
	}
	for d.More() {
		token, err := d.Token()
		key, ok := token.(string)
		if err != nil || !ok {
			return
		}
		var value any
		rule := traitRule
		if err = d.Decode(&value); err == nil {
			rule = checkTrait(value)
		}
		if !fn(key, value, rule) {
			return
		}
	}
}

// checkTrait returns the rule that a value breaks, as encoding/json gives it.
func checkTrait(value any) string {
	switch value := value.(type) {
	case nil, bool, float64:
		return ""
	case string:
		if ValidTraitText(value) {
			return ""
		}
		return traitTextRule
	}
	return traitRule
}

// ValidTraitKey tells whether a trait may have the name.
func ValidTraitKey(key string) bool {
	if key == "" || len(key) > MaxTraitKeyBytes || !letter(key[0]) {
		return false
	}
	for i := 1; i < len(key); i++ {
		c := key[i]
		if !letter(c) && (c < '0' || c > '9') && c != '_' && c != '.' && c != '-' {
			return false
		}
	}
	return true
}

func letter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }

// ValidTraitText tells whether a text may be the value of a trait.
func ValidTraitText(text string) bool {
	return len(text) <= MaxTraitTextBytes && utf8.ValidString(text)
}
