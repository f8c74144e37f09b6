package importer

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	attunev1 "github.com/attune-shop/attune/gen/attune/v1"
	"github.com/attune-shop/attune/model/event"
)

// movieLens reads u.data of MovieLens 100k: user, item, rating and Unix seconds, parted by
// tabs or spaces. A rating is an event of type rate with the attribute rating.
type movieLens struct {
	lineReader
	items []*attunev1.Item
}

// genres are the flags of u.item, in their order.
var genres = [...]string{
	"Unknown", "Action", "Adventure", "Animation", "Children's", "Comedy", "Crime", "Documentary", "Drama", "Fantasy",
	"Film-Noir", "Horror", "Musical", "Mystery", "Romance", "Sci-Fi", "Thriller", "War", "Western",
}

func newMovieLens(r, items io.Reader) (*movieLens, error) {
	s := &movieLens{lineReader: newLineReader(r)}
	if items == nil {
		return s, nil
	}
	var err error
	s.items, err = readMovies(items)
	return s, err
}

// Next implements Source.
func (s *movieLens) Next() (Record, error) {
	for {
		line, err := s.next()
		if err != nil {
			return Record{}, err
		}
		fields := bytes.Fields(line)
		if len(fields) != 4 {
			s.skip("malformed line", line)
			continue
		}
		at, err := strconv.ParseInt(string(fields[3]), 10, 64)
		if err != nil {
			s.skip("malformed timestamp", line)
			continue
		}
		rating, err := strconv.ParseFloat(string(fields[2]), 64)
		if err != nil || rating < 0 || rating > 100 {
			s.skip("malformed rating", line)
			continue
		}
		return Record{Lines: 1, Event: &attunev1.Event{
			EventId:    fmt.Sprintf("rate-%s-%d", fields[1], at),
			Type:       string(event.Rate),
			UserId:     string(fields[0]),
			ItemId:     string(fields[1]),
			OccurredAt: &timestamppb.Timestamp{Seconds: at},
			Attributes: &structpb.Struct{Fields: map[string]*structpb.Value{"rating": structpb.NewNumberValue(rating)}},
		}}, nil
	}
}

// Items implements Source.
func (s *movieLens) Items() []*attunev1.Item { return s.items }

// readMovies reads u.item: id, title, dates and URL, then a flag a genre, parted by bars,
// in Latin-1.
func readMovies(r io.Reader) ([]*attunev1.Item, error) {
	lines := newLineReader(r)
	var items []*attunev1.Item
	for {
		line, err := lines.next()
		if errors.Is(err, io.EOF) {
			return items, nil
		}
		if err != nil {
			return nil, fmt.Errorf("items: %w", err)
		}
		fields := strings.Split(latin1(line), "|")
		if len(fields) != 5+len(genres) {
			return nil, fmt.Errorf("items: line %d has %d fields, not the %d of u.item", lines.lines, len(fields), 5+len(genres))
		}
		item := &attunev1.Item{ItemId: fields[0], Title: fields[1]}
		for g, flag := range fields[5:] {
			if flag == "1" {
				item.Categories = append(item.Categories, genres[g])
			}
		}
		items = append(items, item)
	}
}

// latin1 returns the text as UTF-8; what is UTF-8 already stays.
func latin1(line []byte) string {
	if utf8.Valid(line) {
		return string(line)
	}
	runes := make([]rune, len(line))
	for i, b := range line {
		runes[i] = rune(b)
	}
	return string(runes)
}
