package datasets

import (
	"bufio"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/attune-shop/attune/cmd/attune/internal/importer"
)

// maxLineBytes bounds one line: a user with a million items.
const maxLineBytes = 16 << 20

// eachLine calls fn with every line that is not blank. An error of fn gets file and line.
func eachLine(path string, fn func(line string) error) (err error) {
	file, err := importer.OpenFile(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	lines := bufio.NewScanner(file)
	lines.Buffer(make([]byte, 1<<16), maxLineBytes)
	number := 0
	for lines.Scan() {
		number++
		line := strings.TrimRight(lines.Text(), "\r")
		if number == 1 {
			line = strings.TrimPrefix(line, "\ufeff")
		}
		if strings.TrimSpace(line) == "" {
			continue
		}
		if err := fn(line); err != nil {
			return fmt.Errorf("%s:%d: %w", path, number, err)
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("%s:%d: %w", path, number+1, err)
	}
	return nil
}

// unixSeconds reads Unix seconds, whole or not, or RFC 3339.
func unixSeconds(s string) (int64, error) {
	seconds, err := strconv.ParseFloat(s, 64)
	if err != nil {
		var t time.Time
		if t, err = time.Parse(time.RFC3339Nano, s); err == nil {
			seconds = float64(t.Unix())
		}
	}
	if err != nil || !(seconds >= 0 && seconds <= math.MaxUint32) {
		return 0, fmt.Errorf("the time %q must be Unix seconds from 0 to %d, or RFC 3339 of that span", s, uint32(math.MaxUint32))
	}
	return int64(seconds), nil
}
