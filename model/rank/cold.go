package rank

// coldCandidates is how many of the best popular and trending items are mixed.
const coldCandidates = 400

// common gives what everybody likes: trending and popular items in turn.
func (r *run) common() source {
	sources := []source{later(func() source { return &trends{rest: r.shop.Trending()} })}
	if r.shop.Model != nil {
		sources = append(sources, &rows{model: r.shop.Model, rest: r.shop.Model.Popular(), from: fromPopular, cause: -1})
	}
	return &alternate{sources: sources}
}

// mixed takes the first of a source's candidates and gives them one from each category in
// turn, the categories in the order of their best items, so that a visitor nobody knows
// sees what the shop has. An item's category is its widest. Scores become 1, 1/2, 1/3, ...
func (r *run) mixed(from source) source {
	var order []string
	shelves := map[string][]candidate{}
	taken := map[string]struct{}{}
	for range coldCandidates {
		c, ok := from.next()
		if !ok {
			break
		}
		if _, ok := taken[c.id]; ok {
			continue
		}
		taken[c.id] = struct{}{}
		item, _ := r.shop.Catalog.Item(c.id)
		category := topCategory(item)
		if len(shelves[category]) == 0 {
			order = append(order, category)
		}
		shelves[category] = append(shelves[category], c)
	}
	out := make([]candidate, 0, len(taken))
	for place := 0; len(out) < cap(out); place++ {
		for _, category := range order {
			if place < len(shelves[category]) {
				c := shelves[category][place]
				c.score = 1 / float64(len(out)+1)
				out = append(out, c)
			}
		}
	}
	return &slice{rest: out}
}
