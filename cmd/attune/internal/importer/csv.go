package importer

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	attunev1 "github.com/attune-shop/attune/gen/attune/v1"
	"github.com/attune-shop/attune/model/event"
)

// csvFile reads lines under a header of the Event's field names, in snake or camel case.
// Times are RFC 3339 or Unix seconds; lines is a JSON array and attributes a JSON object.
// The columns quantity and price.* are those of the one line that item_id names, for
// purchases and refunds. An empty field is an absent one.
type csvFile struct {
	lineReader
	noCatalog
	columns []column
	fields  []string
}

// row is what one line of the file says.
type row struct {
	event *attunev1.Event
	line  *attunev1.Line
}

type column struct {
	name string
	set  func(to *row, value string) error
}

// columns are the columns that a file may have, by name.
var columns = map[string]func(to *row, value string) error{
	"event_id":          func(to *row, v string) error { to.event.EventId = v; return nil },
	"type":              func(to *row, v string) error { to.event.Type = v; return nil },
	"user_id":           func(to *row, v string) error { to.event.UserId = v; return nil },
	"anonymous_id":      func(to *row, v string) error { to.event.AnonymousId = v; return nil },
	"session_id":        func(to *row, v string) error { to.event.SessionId = v; return nil },
	"item_id":           func(to *row, v string) error { to.event.ItemId = v; return nil },
	"search_query":      func(to *row, v string) error { to.event.SearchQuery = v; return nil },
	"recommendation_id": func(to *row, v string) error { to.event.RecommendationId = v; return nil },
	"placement":         func(to *row, v string) error { to.event.Placement = v; return nil },
	"occurred_at": func(to *row, v string) (err error) {
		to.event.OccurredAt, err = timestamp(v)
		return err
	},
	"sent_at": func(to *row, v string) (err error) {
		to.event.SentAt, err = timestamp(v)
		return err
	},
	"value.currency_code": func(to *row, v string) error { money(&to.event.Value).CurrencyCode = v; return nil },
	"value.minor_units":   func(to *row, v string) error { return number(&money(&to.event.Value).MinorUnits, v) },
	"price.currency_code": func(to *row, v string) error { money(&to.line.Price).CurrencyCode = v; return nil },
	"price.minor_units":   func(to *row, v string) error { return number(&money(&to.line.Price).MinorUnits, v) },
	"quantity": func(to *row, v string) error {
		to.line.Quantity = new(int64)
		return number(to.line.Quantity, v)
	},
	"lines": func(to *row, v string) error {
		var parts []json.RawMessage
		if err := json.Unmarshal([]byte(v), &parts); err != nil {
			return err
		}
		for _, part := range parts {
			line := &attunev1.Line{}
			if err := protojson.Unmarshal(part, line); err != nil {
				return err
			}
			to.event.Lines = append(to.event.Lines, line)
		}
		return nil
	},
	"attributes": func(to *row, v string) error {
		to.event.Attributes = &structpb.Struct{}
		return protojson.Unmarshal([]byte(v), to.event.Attributes)
	},
}

func timestamp(s string) (*timestamppb.Timestamp, error) {
	t, err := unixTime(s)
	return timestamppb.New(t), err
}

func money(m **attunev1.Money) *attunev1.Money {
	if *m == nil {
		*m = &attunev1.Money{}
	}
	return *m
}

func number(into *int64, s string) (err error) {
	*into, err = strconv.ParseInt(s, 10, 64)
	return err
}

func newCSV(r io.Reader) (*csvFile, error) {
	s := &csvFile{lineReader: newLineReader(r)}
	header, err := s.header()
	if errors.Is(err, io.EOF) {
		return nil, errors.New("the file is empty; its first line must name the columns")
	}
	if err != nil {
		return nil, err
	}
	names, ok := splitCSV(header, nil)
	if !ok {
		return nil, errors.New("the header's quotes do not match")
	}
	seen := map[string]bool{}
	for _, name := range names {
		name = snakeCase(strings.TrimSpace(name))
		set := columns[name]
		switch {
		case set == nil:
			return nil, fmt.Errorf("the header names a column %q, which is no field of an event", name)
		case seen[name]:
			return nil, fmt.Errorf("the header names the column %q twice", name)
		}
		seen[name] = true
		s.columns = append(s.columns, column{name: name, set: set})
	}
	return s, nil
}

// snakeCase returns eventId as event_id.
func snakeCase(name string) string {
	var b strings.Builder
	for _, r := range name {
		if r >= 'A' && r <= 'Z' {
			b.WriteByte('_')
			r += 'a' - 'A'
		}
		b.WriteRune(r)
	}
	return b.String()
}

// Next implements Source.
func (s *csvFile) Next() (Record, error) {
	for {
		text, err := s.next()
		if err != nil {
			return Record{}, err
		}
		fields, ok := splitCSV(text, s.fields[:0])
		s.fields = fields
		switch {
		case !ok:
			s.skip("quotes do not match", text)
		case len(fields) != len(s.columns):
			s.skip("not as many fields as the header", text)
		default:
			if e := s.event(text); e != nil {
				return Record{Event: e, Lines: 1}, nil
			}
		}
	}
}

// event makes the event of the fields, nil where one of them was left out.
func (s *csvFile) event(text []byte) *attunev1.Event {
	to := row{event: &attunev1.Event{}, line: &attunev1.Line{}}
	for i, c := range s.columns {
		if s.fields[i] == "" {
			continue
		}
		if c.set(&to, s.fields[i]) != nil {
			s.skip("malformed "+c.name, text)
			return nil
		}
	}
	e := to.event
	trade := event.Canonical(e.Type) == event.Purchase || event.Canonical(e.Type) == event.Refund
	if trade && len(e.Lines) == 0 && e.ItemId != "" {
		to.line.ItemId, e.ItemId = e.ItemId, ""
		if to.line.Quantity == nil {
			to.line.Quantity = proto.Int64(1)
		}
		e.Lines = []*attunev1.Line{to.line}
	}
	return e
}
