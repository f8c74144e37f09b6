package rank

import (
	"slices"
	"time"

	"github.com/attune-shop/attune/model/cf/feedback"
)

// Affinity returns the share of each category path and of each brand in a visitor's
// recent interest, as the catalog is now; the shares of each sum to 1. An item of several
// categories gives each an equal part.
func Affinity(catalog Catalog, visitor *Visitor, weights feedback.Weights, now time.Time) (categories, brands map[string]float64) {
	categories, brands = map[string]float64{}, map[string]float64{}
	var l learning
	for _, i := range l.interests(visitor, weights, now) {
		item, ok := catalog.Item(i.itemID)
		if !ok {
			continue
		}
		for _, path := range item.Categories {
			categories[path] += i.weight / float64(len(item.Categories))
		}
		if item.Brand != "" {
			brands[item.Brand] += i.weight
		}
	}
	normalize(categories)
	normalize(brands)
	return categories, brands
}

func normalize(shares map[string]float64) {
	keys := make([]string, 0, len(shares))
	for k := range shares {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	sum := 0.0
	for _, k := range keys {
		sum += shares[k]
	}
	for _, k := range keys {
		shares[k] /= sum
	}
}
