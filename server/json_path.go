package server

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// position is how protojson says where in its input an error is: line and byte in it.
var position = regexp.MustCompile(`\(line (\d+):(\d+)\)`)

// nameField says in an error of protojson which field of the JSON it is about.
func nameField(data []byte, err error) error {
	if path := fieldOf(data, err); path != "" {
		return fmt.Errorf("field %q: %w", path, err)
	}
	return err
}

// fieldOf returns the path of the field that an error of protojson is about, empty where it
// is about none.
func fieldOf(data []byte, err error) string {
	match := position.FindStringSubmatch(err.Error())
	if match == nil {
		return ""
	}
	line, _ := strconv.Atoi(match[1]) // they are digits
	column, _ := strconv.Atoi(match[2])
	offset := 0
	for range line - 1 {
		offset += bytes.IndexByte(data[offset:], '\n') + 1
	}
	return pathAt(data, int64(offset+column-1))
}

// ruleOf returns what an error of protojson says but for where.
func ruleOf(err error) string {
	text := err.Error()
	if at := position.FindStringIndex(text); at != nil {
		text = strings.TrimPrefix(text[at[1]:], ": ")
	}
	return text
}

// step is an object or array that is open, and where in it the reading is.
type step struct {
	array, named bool
	key          string
	index        int
}

// pathAt returns the path of the key or value at an offset of JSON, as in
// "events[2].value"; empty at the top, and where it is not JSON up to there.
func pathAt(data []byte, offset int64) string {
	tokens := json.NewDecoder(bytes.NewReader(data))
	tokens.UseNumber()
	var path []step
	for {
		token, err := tokens.Token()
		if err != nil {
			return ""
		}
		if token == json.Delim('}') || token == json.Delim(']') {
			path = path[:len(path)-1]
			continue
		}
		isKey := false
		if n := len(path); n > 0 {
			top := &path[n-1]
			switch {
			case top.array:
				top.index++
			case top.named:
				top.named = false
			default:
				key, _ := token.(string) // a key always is
				top.key, top.named, isKey = key, true, true
			}
		}
		if tokens.InputOffset() > offset {
			return render(path)
		}
		if delimiter, opens := token.(json.Delim); opens && !isKey {
			path = append(path, step{array: delimiter == '[', index: -1})
		}
	}
}

func render(path []step) string {
	var b strings.Builder
	for _, s := range path {
		if s.array {
			fmt.Fprintf(&b, "[%d]", s.index)
			continue
		}
		if b.Len() > 0 {
			b.WriteByte('.')
		}
		b.WriteString(s.key)
	}
	return b.String()
}
