package importer

import (
	"bytes"
	"errors"
	"io"
	"strconv"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	attunev1 "github.com/attune-shop/attune/gen/attune/v1"
	"github.com/attune-shop/attune/model/event"
)

// retailRocket reads lines of timestamp, user, event and item: the RetailRocket data set in
// Unix seconds. A line that is there twice is one event, since nothing tells the two apart.
type retailRocket struct {
	lineReader
	noCatalog
	fields []string
}

// rocketTypes are the names of the file and what they are called here.
var rocketTypes = map[string]event.Type{
	"view": event.ViewItem, "cart": event.AddToCart, "addtocart": event.AddToCart,
	"buy": event.Purchase, "transaction": event.Purchase,
}

func newRetailRocket(r io.Reader) (*retailRocket, error) {
	s := &retailRocket{lineReader: newLineReader(r)}
	header, err := s.header()
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if err == nil && !bytes.HasPrefix(header, []byte("timestamp,user,event,item")) {
		return nil, errors.New("not RetailRocket: the first line must be timestamp,user,event,item")
	}
	return s, nil
}

// Next implements Source.
func (s *retailRocket) Next() (Record, error) {
	for {
		line, err := s.next()
		if err != nil {
			return Record{}, err
		}
		fields, ok := splitCSV(line, s.fields[:0])
		s.fields = fields
		if !ok || len(fields) != 4 {
			s.skip("malformed line", line)
			continue
		}
		kind, known := rocketTypes[fields[2]]
		at, err := strconv.ParseInt(fields[0], 10, 64)
		switch {
		case err != nil:
			s.skip("malformed timestamp", line)
			continue
		case !known:
			s.skip("unknown event", line)
			continue
		}
		e := &attunev1.Event{
			EventId:    fields[2] + "-" + fields[3] + "-" + fields[0],
			Type:       string(kind),
			UserId:     fields[1],
			OccurredAt: &timestamppb.Timestamp{Seconds: at},
		}
		if kind == event.Purchase {
			e.Lines = []*attunev1.Line{{ItemId: fields[3], Quantity: proto.Int64(1)}}
		} else {
			e.ItemId = fields[3]
		}
		return Record{Event: e, Lines: 1}, nil
	}
}

// noCatalog is a source that knows nothing of the catalog.
type noCatalog struct{}

// Items implements Source.
func (noCatalog) Items() []*attunev1.Item { return nil }

// unixTime reads whole Unix seconds or RFC 3339.
func unixTime(s string) (time.Time, error) {
	if seconds, err := strconv.ParseInt(s, 10, 64); err == nil {
		return time.Unix(seconds, 0).UTC(), nil
	}
	return time.Parse(time.RFC3339Nano, s)
}
