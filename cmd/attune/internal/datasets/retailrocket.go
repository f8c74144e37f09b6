package datasets

import (
	"github.com/attune-shop/attune/model/cf"
	"github.com/attune-shop/attune/model/cf/eval"
	"github.com/attune-shop/attune/model/cf/feedback"
)

// openRetailRocket reads RetailRocket's buyers: what they viewed, put into carts and bought,
// and one thing more that each bought later.
func openRetailRocket(dir string) (*Set, error) {
	train, err := readTrain(dir, "events_train.csv", func(path string, b *feedback.Builder) error {
		return eachRecord(path, func(r record) error {
			b.Add(r.user, r.item, r.weight, r.at)
			return nil
		})
	})
	if err != nil {
		return nil, err
	}
	cases, err := readCases(dir, "test_buy.csv", func(path string) ([]asked, error) { return readLast(path, train) })
	return &Set{
		Train: train, asked: cases,
		Protocol:   eval.Protocol{K: 10, Cut: eval.CutLast},
		Metrics:    []eval.Metric{eval.HitRate, eval.NDCG},
		Algorithms: []string{cf.Auto, cf.Popularity, cf.ItemKNN, cf.ALS},
		Intervals:  true,
	}, err
}

// readLast reads records that are one case each.
func readLast(path string, train *feedback.Dataset) (cases []asked, err error) {
	err = eachRecord(path, func(r record) error {
		cases = append(cases, newCase(train, r.user, r.item))
		return nil
	})
	return cases, err
}
