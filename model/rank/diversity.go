package rank

import (
	"strings"

	"github.com/attune-shop/attune/model/event"
)

// pathSeparator parts the levels of a category path.
const pathSeparator = " > "

// variety bounds how alike the items of a list may be.
type variety struct {
	perCategory int
	categories  map[string]int
	// newcomers is how many items may still enter through their content beside a model's.
	newcomers int
}

func newVariety(q *Query) *variety {
	v := &variety{perCategory: q.MaxPerCategory, newcomers: max(1, q.Limit/bridgeShare)}
	if v.perCategory > 0 {
		v.categories = map[string]int{}
	}
	return v
}

// allows tells whether one more such item may enter, and counts it.
func (v *variety) allows(c *candidate) bool {
	if c.newcomer && v.newcomers == 0 {
		return false
	}
	if v.perCategory > 0 {
		if category := topCategory(c.item); category != "" {
			if v.categories[category] >= v.perCategory {
				return false
			}
			v.categories[category]++
		}
	}
	if c.newcomer {
		v.newcomers--
	}
	return true
}

// topCategory is the widest category of the item's first path; empty where it has none.
func topCategory(item *event.Item) string {
	if item == nil || len(item.Categories) == 0 {
		return ""
	}
	top, _, _ := strings.Cut(item.Categories[0], pathSeparator)
	return top
}

// within tells whether one of the item's paths is the category or lies below it.
func within(item *event.Item, category string) bool {
	if item == nil {
		return false
	}
	for _, path := range item.Categories {
		if rest, ok := strings.CutPrefix(path, category); ok && (rest == "" || strings.HasPrefix(rest, pathSeparator)) {
			return true
		}
	}
	return false
}
