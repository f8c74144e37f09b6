package datasets

import (
	"errors"
	"strings"

	"github.com/attune-shop/attune/model/cf/eval"
	"github.com/attune-shop/attune/model/cf/feedback"
)

// openMovieLens reads MovieLens-100k in the split of recommenders-team/recommenders: lines of
// user, item, rating and Unix seconds. A rating is the weight in train; whatever its value it is a
// hit in test, and one in popularity's count.
func openMovieLens(dir string) (*Set, error) {
	const trained = "msr_split_item_train.tsv"
	train, err := readTrain(dir, trained, func(path string, b *feedback.Builder) error {
		return eachRating(path, func(user, item string, rating float32, at int64) { b.Add(user, item, rating, at) })
	})
	if err != nil {
		return nil, err
	}
	counted, err := readTrain(dir, trained, func(path string, b *feedback.Builder) error {
		return eachRating(path, func(user, item string, _ float32, at int64) { b.Add(user, item, 1, at) })
	})
	if err != nil {
		return nil, err
	}
	cases, err := readCases(dir, "msr_split_item_test.tsv", func(path string) ([]asked, error) {
		users := newChosen(train)
		err := eachRating(path, func(user, item string, _ float32, _ int64) { users.add(user, item) })
		return users.cases(), err
	})
	return &Set{
		Train: train, Counted: counted, asked: cases,
		Protocol:  eval.Protocol{K: 10, Cut: eval.CutRandom},
		Metrics:   []eval.Metric{eval.NDCG, eval.MAP, eval.Precision, eval.Recall},
		Published: publishedMovieLens,
	}, err
}

func eachRating(path string, fn func(user, item string, rating float32, at int64)) error {
	return eachLine(path, func(line string) error {
		fields := strings.Fields(line)
		if len(fields) != 4 {
			return errors.New("must have user, item, rating and Unix seconds")
		}
		rating, err := parseWeight(fields[2])
		if err != nil {
			return err
		}
		at, err := unixSeconds(fields[3])
		if err == nil {
			fn(fields[0], fields[1], rating, at)
		}
		return err
	})
}
