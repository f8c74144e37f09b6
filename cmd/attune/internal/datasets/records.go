package datasets

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/attune-shop/attune/cmd/attune/internal/importer"
	"github.com/attune-shop/attune/model/cf/feedback"
	"github.com/attune-shop/attune/model/event"
)

// record is one interaction of a table.
type record struct {
	user, item string
	weight     float32
	// rated says that the weight is a rating.
	rated bool
	at    int64
	// timed says that the line has a time.
	timed bool
}

// The columns that a record is made of.
const (
	columnUser   = "user"
	columnItem   = "item"
	columnTime   = "time"
	columnWeight = "weight"
	columnRating = "rating"
	columnEvent  = "event"
)

// columnNames are the names that a header may use, in lower case. A rating is a weight: what was
// liked more says more of its user, though what is foretold is that something is chosen.
var columnNames = map[string]string{
	"user": columnUser, "user_id": columnUser, "userid": columnUser, "visitorid": columnUser, "session": columnUser, "session_id": columnUser, "sessionid": columnUser,
	"item": columnItem, "item_id": columnItem, "itemid": columnItem,
	"time": columnTime, "timestamp": columnTime, "at": columnTime, "occurred_at": columnTime,
	"weight": columnWeight, "rating": columnRating,
	"event": columnEvent, "type": columnEvent,
}

// eventTypes are the names that data sets have for types of Attune.
var eventTypes = map[string]event.Type{
	"view": event.ViewItem, "click": event.SelectItem, "cart": event.AddToCart, "addtocart": event.AddToCart,
	"buy": event.Purchase, "transaction": event.Purchase,
}

// withoutHeader are the columns of files that do not name them, by their number. The third
// of four is a rating, as MovieLens and NCF write it.
var withoutHeader = map[int][]string{
	2: {columnUser, columnItem},
	3: {columnUser, columnItem, columnTime},
	4: {columnUser, columnItem, columnRating, columnTime},
}

// eachRecord calls fn with every line of a table that is parted by commas, tabs or spaces. A
// first line that names the columns of user and item is a header. An error of fn gets file
// and line.
func eachRecord(path string, fn func(record) error) (err error) {
	file, err := importer.OpenFile(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	lines, err := newTable(file)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	columns, first, err := firstLine(lines)
	if errors.Is(err, io.EOF) {
		return fmt.Errorf("%s is empty", path)
	}
	for fields := first; err == nil; fields, err = lines.Read() {
		if fields == nil { // the header
			continue
		}
		number, _ := lines.FieldPos(0)
		r, err := readRecord(columns, fields)
		if err == nil {
			err = fn(r)
		}
		if err != nil {
			return fmt.Errorf("%s:%d: %w", path, number, err)
		}
	}
	if errors.Is(err, io.EOF) {
		return nil
	}
	if wrong := (*csv.ParseError)(nil); errors.As(err, &wrong) {
		return fmt.Errorf("%s:%d: %w", path, wrong.Line, wrong.Err)
	}
	return fmt.Errorf("%s: %w", path, err)
}

// newTable finds out what parts the columns.
func newTable(r io.Reader) (*csv.Reader, error) {
	buffered := bufio.NewReaderSize(r, 1<<16)
	beginning, err := buffered.Peek(1 << 12)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if strings.HasPrefix(string(beginning), "\ufeff") {
		_, _ = buffered.Discard(len("\ufeff")) // was peeked at
	}
	first, _, _ := strings.Cut(string(beginning), "\n")
	lines := csv.NewReader(buffered)
	lines.FieldsPerRecord = 0 // as many as the first line
	switch {
	case strings.Contains(first, ","):
	case strings.Contains(first, "\t"):
		lines.Comma = '\t'
	default:
		lines.Comma = ' '
	}
	return lines, nil
}

// firstLine returns the place of each column, and the fields of the first line where it is
// no header.
func firstLine(lines *csv.Reader) (columns map[string]int, fields []string, err error) {
	if fields, err = lines.Read(); err != nil {
		return nil, nil, err
	}
	columns = map[string]int{}
	for place, name := range fields {
		column, known := columnNames[strings.ToLower(strings.TrimSpace(name))]
		if _, twice := columns[column]; known && !twice {
			columns[column] = place
		}
	}
	_, user := columns[columnUser]
	_, item := columns[columnItem]
	if user && item {
		return columns, nil, nil
	}
	clear(columns)
	names, known := withoutHeader[len(fields)]
	if !known {
		return nil, nil, &csv.ParseError{Line: 1, Err: fmt.Errorf(
			"has %d columns; without a header there are 2 (user, item), 3 (user, item, time) or 4 (user, item, rating, time)", len(fields))}
	}
	for place, name := range names {
		columns[name] = place
	}
	return columns, fields, nil
}

func readRecord(columns map[string]int, fields []string) (r record, err error) {
	field := func(column string) string {
		place, ok := columns[column]
		if !ok {
			return ""
		}
		return strings.TrimSpace(fields[place])
	}
	r = record{user: field(columnUser), item: field(columnItem), weight: 1}
	if r.user == "" || r.item == "" {
		return r, errors.New("user and item must not be empty")
	}
	if name := field(columnEvent); name != "" {
		kind, known := eventTypes[strings.ToLower(name)]
		if !known {
			kind = event.Canonical(name)
		}
		if !known && kind.Number() == 0 {
			return r, fmt.Errorf("the event %q must be %s, or a type of Attune's", name, listed(slices.Sorted(maps.Keys(eventTypes))))
		}
		r.weight = feedback.DefaultWeights().Training(kind)
	}
	for _, column := range []string{columnWeight, columnRating} {
		text := field(column)
		if text == "" {
			continue
		}
		r.rated = column == columnRating
		if r.weight, err = parseWeight(text); err != nil {
			return r, err
		}
	}
	if text := field(columnTime); text != "" {
		r.timed = true
		r.at, err = unixSeconds(text)
	}
	return r, err
}

// trains are the datasets that records make: with their weights, and with ratings counted as 1.
type trains struct {
	weighted, counted *feedback.Builder
	// rated says that there are ratings.
	rated bool
}

func newTrains() *trains {
	return &trains{weighted: feedback.NewBuilder(), counted: feedback.NewBuilder()}
}

func (t *trains) add(r record) {
	t.weighted.Add(r.user, r.item, r.weight, r.at)
	if r.rated {
		r.weight, t.rated = 1, true
	}
	t.counted.Add(r.user, r.item, r.weight, r.at)
}

// build sets what the records of a file made.
func (t *trains) build(path string, s *Set) (err error) {
	if s.Train, err = filled(path, t.weighted); err != nil || !t.rated {
		return err
	}
	s.Counted, err = filled(path, t.counted)
	return err
}

func parseWeight(text string) (float32, error) {
	weight, err := strconv.ParseFloat(text, 32)
	if err != nil || !(weight > 0) || math.IsInf(weight, 0) {
		return 0, fmt.Errorf("the weight or rating %q must be a number above 0", text)
	}
	return float32(weight), nil
}
