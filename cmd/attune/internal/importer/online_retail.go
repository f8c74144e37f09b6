package importer

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	attunev1 "github.com/attune-shop/attune/gen/attune/v1"
	"github.com/attune-shop/attune/model/event"
)

const (
	retailHeader   = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country"
	retailCurrency = "GBP"
	// openInvoices is how many invoices may lie between each other in the file. An invoice
	// whose lines lie further apart becomes several events.
	openInvoices = 16
)

// onlineRetail reads the order lines of UCI's Online Retail data set.
//
// An invoice is one purchase, or one refund where its number begins with C, and its number is
// the event's id. The customer's number, without the ".0" that some copies give it, is the
// user; an invoice without one has only itself as session, so that it tells what is bought
// together and no more. Stock codes that differ by case alone name one product, and become
// items in upper case. Codes that do not begin with five digits are no products: postage,
// fees, vouchers, samples. Lines without a price, and stock adjustments, are no sales.
// All of these are left out and counted. Times are taken as UTC, amounts are exact.
type onlineRetail struct {
	lineReader
	fields []string
	open   []*invoice
	ready  []Record
	// parts counts the events of each invoice.
	parts    map[string]int
	products products
	ended    bool
}

// invoice gathers the lines of one event.
type invoice struct {
	number, customer, country string
	at                        time.Time
	lines                     []*attunev1.Line
}

// retailLine is one valid line of the file.
type retailLine struct {
	invoice, code, title, customer, country string
	quantity, pence                         int64
	at                                      time.Time
}

func newOnlineRetail(r io.Reader) (*onlineRetail, error) {
	s := &onlineRetail{lineReader: newLineReader(r), parts: map[string]int{}, products: products{}}
	header, err := s.header()
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if err == nil && !bytes.Equal(header, []byte(retailHeader)) {
		return nil, errors.New("not Online Retail: the first line must be " + retailHeader)
	}
	return s, nil
}

// Next implements Source.
func (s *onlineRetail) Next() (Record, error) {
	for len(s.ready) == 0 {
		if s.ended {
			return Record{}, io.EOF
		}
		text, err := s.next()
		if errors.Is(err, io.EOF) {
			s.ended = true
			for len(s.open) > 0 {
				s.close(0)
			}
			continue
		}
		if err != nil {
			return Record{}, err
		}
		line, reason := s.parse(text)
		if reason != "" {
			s.skip(reason, text)
			continue
		}
		s.take(&line)
	}
	record := s.ready[0]
	s.ready = s.ready[1:]
	return record, nil
}

// Items implements Source.
func (s *onlineRetail) Items() []*attunev1.Item { return s.products.items() }

// parse reads one line; reason says why it is left out.
func (s *onlineRetail) parse(text []byte) (line retailLine, reason string) {
	fields, ok := splitCSV(text, s.fields[:0])
	s.fields = fields
	if !ok || len(fields) != 8 {
		return line, "malformed line"
	}
	line = retailLine{
		invoice:  fields[0],
		code:     strings.ToUpper(fields[1]),
		title:    strings.Join(strings.Fields(strings.ToValidUTF8(fields[2], "")), " "),
		customer: strings.TrimSuffix(fields[6], ".0"),
		country:  strings.ToValidUTF8(fields[7], ""),
	}
	if !isProduct(line.code) {
		return line, "not a product"
	}
	refund := strings.HasPrefix(line.invoice, "C")
	if _, err := strconv.ParseUint(strings.TrimPrefix(line.invoice, "C"), 10, 64); err != nil {
		return line, "not an invoice number"
	}
	var err error
	if line.quantity, err = strconv.ParseInt(fields[3], 10, 64); err != nil {
		return line, "malformed quantity"
	}
	switch {
	case line.quantity == 0:
		return line, "quantity zero"
	case line.quantity < 0 && !refund:
		return line, "stock adjustment: negative quantity outside a refund"
	case line.quantity > 0 && refund:
		return line, "refund of a positive quantity"
	case refund:
		line.quantity = -line.quantity
	}
	if line.at, err = time.Parse(time.DateTime, fields[4]); err != nil {
		return line, "malformed date"
	}
	if line.pence, err = minorUnits(fields[5], 2); err != nil {
		return line, "malformed price"
	}
	switch {
	case line.pence < 0:
		return line, "negative price"
	case line.title == "":
		return line, "blank description"
	case line.pence == 0:
		return line, "zero price"
	}
	return line, ""
}

// isProduct tells products from postage, fees, vouchers and the like.
func isProduct(code string) bool {
	if len(code) < 5 {
		return false
	}
	for i := range 5 {
		if code[i] < '0' || code[i] > '9' {
			return false
		}
	}
	return true
}

// take puts a line into its invoice.
func (s *onlineRetail) take(line *retailLine) {
	s.products.add(line)
	at := -1
	for i, open := range s.open {
		if open.number == line.invoice && open.customer == line.customer {
			at = i
		}
	}
	if at >= 0 && len(s.open[at].lines) == event.MaxLines {
		s.close(at)
		at = -1
	}
	if at < 0 {
		if len(s.open) == openInvoices {
			s.close(0)
		}
		at = len(s.open)
		s.open = append(s.open, &invoice{number: line.invoice, customer: line.customer, country: line.country, at: line.at})
	}
	open := s.open[at]
	open.lines = append(open.lines, &attunev1.Line{
		ItemId: line.code, Quantity: proto.Int64(line.quantity),
		Price: &attunev1.Money{CurrencyCode: retailCurrency, MinorUnits: line.pence},
	})
}

// close makes an event of an open invoice. The second event of an invoice is "536365/2".
func (s *onlineRetail) close(at int) {
	done := s.open[at]
	s.open = append(s.open[:at], s.open[at+1:]...)
	e := &attunev1.Event{EventId: done.number, Type: string(event.Purchase), UserId: done.customer, Lines: done.lines, OccurredAt: timestamppb.New(done.at)}
	if s.parts[done.number]++; s.parts[done.number] > 1 {
		e.EventId = fmt.Sprintf("%s/%d", done.number, s.parts[done.number])
	}
	if strings.HasPrefix(done.number, "C") {
		e.Type = string(event.Refund)
	}
	if done.customer == "" {
		e.SessionId = done.number
	}
	if done.country != "" {
		e.Attributes = &structpb.Struct{Fields: map[string]*structpb.Value{"country": structpb.NewStringValue(done.country)}}
	}
	s.ready = append(s.ready, Record{Event: e, Lines: int64(len(done.lines))})
}
