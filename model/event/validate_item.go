package event

import "net/url"

// Validate names every rule that the item breaks (the first 32), none where it is valid.
// Fields are named as in the contract. An Availability of 0 counts as InStock.
func (i *Item) Validate() []Violation {
	var v violations
	v.id("item_id", i.ID)
	v.text("title", i.Title, MaxTitleBytes)
	v.text("brand", i.Brand, MaxIDBytes)
	i.checkCategories(&v)
	v.money("price", i.Price)
	if i.Availability > Backorder {
		v.add("availability", "must be one of IN_STOCK, OUT_OF_STOCK, PREORDER and BACKORDER, is %d", i.Availability)
	}
	v.url("image_url", i.ImageURL)
	v.url("page_url", i.PageURL)
	v.attributes("attributes", i.Attributes)
	if !i.AvailableFrom.IsZero() {
		v.between("available_from", i.AvailableFrom, latest)
	}
	if !i.AvailableUntil.IsZero() {
		v.between("available_until", i.AvailableUntil, latest)
		if !i.AvailableUntil.After(i.AvailableFrom) {
			v.add("available_until", "must be after available_from")
		}
	}
	return v
}

func (i *Item) checkCategories(v *violations) {
	if len(i.Categories) > MaxCategories {
		v.add("categories", "must be at most %d, are %d", MaxCategories, len(i.Categories))
		return
	}
	for n, path := range i.Categories {
		if path == "" {
			v.add(at("categories", n, ""), "must not be empty")
		} else if len(path) > MaxCategoryBytes || !plainID(path) {
			v.text(at("categories", n, ""), path, MaxCategoryBytes)
		}
	}
}

// url asks for an http, https or relative URL, where there is one: pages show it as a link.
func (v *violations) url(field, s string) {
	if s == "" {
		return
	}
	before := len(*v)
	v.text(field, s, MaxURLBytes)
	if len(*v) > before {
		return
	}
	u, err := url.Parse(s)
	if err != nil || (u.Scheme != "" && u.Scheme != "http" && u.Scheme != "https") {
		v.add(field, "must be an http, https or relative URL")
	}
}
