// Package datasets reads public data sets as what `attune evaluate` needs: interactions to
// train on, lists to ask for by a published protocol, and what others reached on them.
//
// A file a data set: movielens.go, gowalla.go, yoochoose.go, retailrocket.go, and csv.go for
// anybody's own; published.go has the tables. Files may be plain or gzip'ed. What cannot be
// read is an error that names file, line and rule: a line left out would make the figures
// incomparable.
package datasets

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/attune-shop/attune/model/cf/eval"
	"github.com/attune-shop/attune/model/cf/feedback"
	"github.com/attune-shop/attune/model/event"
)

// Set is a data set with its protocol.
type Set struct {
	Train *feedback.Dataset
	// Counted is Train without the weights of ratings, where there are any: what popularity counts.
	Counted *feedback.Dataset
	Cases   []eval.Case
	// Visitors are who the lists of Cases are for, one each.
	Visitors []Visitor
	Protocol eval.Protocol
	// Metrics are what the set's table shows, the one that it is ordered by first.
	Metrics []eval.Metric
	// Published is what others reached by the same protocol.
	Published []Published
	// Algorithms are those to run where none is asked for.
	Algorithms []string
	// Intervals says that the cases are so few that a mean needs its interval.
	Intervals bool

	// asked becomes Cases and Visitors.
	asked []asked
}

// The data sets that Open reads.
const (
	MovieLens    = "ml100k"
	Gowalla      = "gowalla"
	Yoochoose    = "yoochoose64"
	RetailRocket = "retailrocket"
)

// Open reads one of them below a folder, where it has a folder of its own.
func Open(name, dir string) (*Set, error) {
	for _, known := range []struct {
		name, folder string
		open         func(dir string) (*Set, error)
	}{
		{MovieLens, "movielens-100k", openMovieLens},
		{Gowalla, "gowalla", openGowalla},
		{Yoochoose, "yoochoose64", openYoochoose},
		{RetailRocket, "retailrocket", openRetailRocket},
	} {
		if known.name == name {
			s, err := known.open(filepath.Join(dir, known.folder))
			if err != nil {
				return nil, err
			}
			return s.finished(), nil
		}
	}
	return nil, fmt.Errorf("data set %q: %w", name, event.ErrNotFound)
}

// finished sets the cases, with what users know not hidden where the protocol lets it into lists.
func (s *Set) finished() *Set {
	for _, a := range s.asked {
		if s.Protocol.Seen {
			a.Hidden = nil
		}
		s.Cases, s.Visitors = append(s.Cases, a.Case), append(s.Visitors, a.visitor)
	}
	s.asked = nil
	return s
}

// Count leaves the weights of ratings aside in what is trained on and in histories, and tells
// whether there are any.
func (s *Set) Count() bool {
	if s.Counted == nil {
		return false
	}
	s.Train, s.Counted = s.Counted, nil
	for i, v := range s.Visitors {
		if v.UserID != "" {
			s.Cases[i].History, _ = s.Train.History(v.UserID)
		}
	}
	return true
}

// find returns the path of a file that may be gzip'ed.
func find(dir, name string) (string, error) {
	for _, path := range []string{filepath.Join(dir, name+".gz"), filepath.Join(dir, name)} {
		if _, err := os.Stat(path); err == nil {
			return path, nil
		} else if !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
	}
	return "", fmt.Errorf("there is no %s, plain or .gz, in %s: %w", name, dir, fs.ErrNotExist)
}

// readTrain reads a file of a set's folder into a dataset.
func readTrain(dir, name string, read func(path string, b *feedback.Builder) error) (*feedback.Dataset, error) {
	path, err := find(dir, name)
	if err != nil {
		return nil, err
	}
	b := feedback.NewBuilder()
	if err := read(path, b); err != nil {
		return nil, err
	}
	return filled(path, b)
}

// filled returns the dataset of what was read from a file, which must not be nothing.
func filled(path string, b *feedback.Builder) (*feedback.Dataset, error) {
	d := b.Build()
	if d.Interactions() == 0 {
		return nil, fmt.Errorf("%s has no interactions to train on", path)
	}
	return d, nil
}

// readCases reads a file of a set's folder as cases.
func readCases(dir, name string, read func(path string) ([]asked, error)) ([]asked, error) {
	path, err := find(dir, name)
	if err != nil {
		return nil, err
	}
	cases, err := read(path)
	if err == nil && len(cases) == 0 {
		err = fmt.Errorf("%s has nothing to test", path)
	}
	return cases, err
}

// listed writes names as in "a, b or c".
func listed(names []string) string {
	last := len(names) - 1
	return strings.Join(names[:last], ", ") + " or " + names[last]
}
