package importer

import (
	"errors"
	"io"

	"google.golang.org/protobuf/encoding/protojson"

	attunev1 "github.com/attune-shop/attune/gen/attune/v1"
)

// jsonLines reads one Event of the contract a line, as JSON with its names or in camel case.
type jsonLines struct {
	lineReader
	noCatalog
}

func newJSONL(r io.Reader) *jsonLines { return &jsonLines{lineReader: newLineReader(r)} }

// Next implements Source.
func (s *jsonLines) Next() (Record, error) {
	for {
		line, err := s.next()
		if err != nil {
			return Record{}, err
		}
		e := &attunev1.Event{}
		if err := protojson.Unmarshal(line, e); err != nil {
			s.skip("not the JSON of an event", []byte(err.Error()+": "+clip(line)))
			continue
		}
		return Record{Event: e, Lines: 1}, nil
	}
}

// ReadItems reads one Item of the contract a line and gives each to take. It returns how many
// lines hold none, by reason.
func ReadItems(r io.Reader, take func(*attunev1.Item) error) ([]Reason, error) {
	lines := newLineReader(r)
	for {
		line, err := lines.next()
		if errors.Is(err, io.EOF) {
			return lines.Skipped(), nil
		}
		if err != nil {
			return lines.Skipped(), err
		}
		item := &attunev1.Item{}
		if err := protojson.Unmarshal(line, item); err != nil {
			lines.skip("not the JSON of an item", []byte(err.Error()+": "+clip(line)))
			continue
		}
		if err := take(item); err != nil {
			return lines.Skipped(), err
		}
	}
}
