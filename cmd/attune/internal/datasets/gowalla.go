package datasets

import (
	"strings"

	"github.com/attune-shop/attune/model/cf/eval"
	"github.com/attune-shop/attune/model/cf/feedback"
)

// openGowalla reads Gowalla in the split of LightGCN (gowalla_m1): lines of a user and the
// user's items, without times. A user without items is in neither part.
func openGowalla(dir string) (*Set, error) {
	train, err := readTrain(dir, "train.txt", func(path string, b *feedback.Builder) error {
		return eachPair(path, func(user, item string) { b.Add(user, item, 1, 0) })
	})
	if err != nil {
		return nil, err
	}
	cases, err := readCases(dir, "test.txt", func(path string) ([]asked, error) {
		users := newChosen(train)
		err := eachPair(path, users.add)
		return users.cases(), err
	})
	return &Set{
		Train: train, asked: cases,
		Protocol:  eval.Protocol{K: 20, Cut: eval.CutRandom},
		Metrics:   []eval.Metric{eval.Recall, eval.NDCG},
		Published: publishedGowalla,
	}, err
}

func eachPair(path string, fn func(user, item string)) error {
	return eachLine(path, func(line string) error {
		fields := strings.Fields(line)
		for _, item := range fields[1:] {
			fn(fields[0], item)
		}
		return nil
	})
}
