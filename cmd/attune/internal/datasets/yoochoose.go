package datasets

import (
	"errors"
	"strconv"
	"strings"

	"github.com/attune-shop/attune/model/cf/eval"
	"github.com/attune-shop/attune/model/cf/feedback"
)

// openYoochoose reads RecSys 2015, the newest 1/64: sessions, a line each with its items in the
// order of clicks, and the prefixes of later sessions with the item that came next.
func openYoochoose(dir string) (*Set, error) {
	var from int64
	train, err := readTrain(dir, "train_sessions.txt", func(path string, b *feedback.Builder) error {
		var lines [][]string
		err := eachLine(path, func(line string) error {
			lines = append(lines, strings.Fields(line))
			return nil
		})
		step := sessionStep(len(lines))
		for n, items := range lines {
			for place, item := range items {
				b.Add(strconv.Itoa(n), item, 1, int64(n)*step+int64(place))
			}
		}
		from = int64(len(lines)) * step
		return err
	})
	if err != nil {
		return nil, err
	}
	cases, err := readCases(dir, "test_examples.tsv", func(path string) ([]asked, error) { return readPrefixes(path, train, from) })
	return &Set{
		Train: train, asked: cases,
		Protocol:  eval.Protocol{K: 20, Seen: true, Cut: eval.CutNext},
		Metrics:   []eval.Metric{eval.HitRate, eval.MRR},
		Published: publishedYoochoose,
	}, err
}

// readPrefixes reads lines of items that were clicked, parted by spaces, a tab, and the item
// that came next.
func readPrefixes(path string, train *feedback.Dataset, from int64) (cases []asked, err error) {
	err = eachLine(path, func(line string) error {
		prefix, next, ok := strings.Cut(line, "\t")
		items, following := strings.Fields(prefix), strings.Fields(next)
		if !ok || len(items) == 0 || len(following) != 1 {
			return errors.New("must have items parted by spaces, a tab, and one next item")
		}
		cases = append(cases, newPrefix(train, items, following[0], from))
		return nil
	})
	return cases, err
}
