// Package importer reads event files of several formats and streams them to a server.
//
// A Source turns a file into events (one file a format); Deliver streams them, several
// batches in flight, and adds up what became of each line. The same file always gives the
// same events with the same ids, so that an import that is done again counts nothing twice.
package importer

import (
	"fmt"
	"io"
	"slices"
	"strings"

	attunev1 "github.com/attune-shop/attune/gen/attune/v1"
)

// Record is one event and the number of the file's lines that it was made of.
type Record struct {
	Event *attunev1.Event
	Lines int64
}

// Source gives the events of one file. Its order, and its events, depend on the file alone.
type Source interface {
	// Next returns the next record, io.EOF at the end. Another error says that the file
	// cannot be read on; what is wrong with a line only leaves that line out.
	Next() (Record, error)
	// Lines is the number of the file's lines read so far, a header not among them.
	Lines() int64
	// Skipped tells which lines were left out so far, by reason.
	Skipped() []Reason
	// Items are what the file tells of the catalog, in the order of ids; complete once Next
	// has returned io.EOF.
	Items() []*attunev1.Item
}

// Reason counts what was not taken for one reason.
type Reason struct {
	Reason string `json:"reason"`
	// Events is 0 for lines that were left out before they became an event.
	Events int64 `json:"events,omitempty"`
	Lines  int64 `json:"lines"`
	// Example is the first case, in full.
	Example string `json:"example,omitempty"`
}

// Format names a way to read a file.
type Format string

// The formats that Open reads.
const (
	OnlineRetail Format = "online-retail"
	RetailRocket Format = "retailrocket"
	MovieLens    Format = "movielens"
	CSV          Format = "csv"
	JSONL        Format = "jsonl"
)

// NewSource returns the source of what r gives in that format. items, of MovieLens alone,
// is a u.item file's reader or nil. Its error says that the format is unknown or that the
// beginning of the file is not of it.
func NewSource(format Format, r, items io.Reader) (Source, error) {
	switch format {
	case OnlineRetail:
		return newOnlineRetail(r)
	case RetailRocket:
		return newRetailRocket(r)
	case MovieLens:
		return newMovieLens(r, items)
	case CSV:
		return newCSV(r)
	case JSONL:
		return newJSONL(r), nil
	}
	return nil, fmt.Errorf("format %q is unknown", format)
}

// tally adds up reasons. It keeps the first case of each.
type tally struct {
	byReason map[string]*Reason
}

func (t *tally) add(reason, example string, events, lines int64) {
	if t.byReason == nil {
		t.byReason = map[string]*Reason{}
	}
	r := t.byReason[reason]
	if r == nil {
		r = &Reason{Reason: reason, Example: example}
		t.byReason[reason] = r
	}
	r.Events += events
	r.Lines += lines
}

// list returns the reasons, those of most lines first.
func (t *tally) list() []Reason {
	out := make([]Reason, 0, len(t.byReason))
	for _, r := range t.byReason {
		out = append(out, *r)
	}
	slices.SortFunc(out, func(a, b Reason) int {
		if a.Lines != b.Lines {
			return int(b.Lines - a.Lines)
		}
		return strings.Compare(a.Reason, b.Reason)
	})
	return out
}
