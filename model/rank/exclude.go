package rank

import (
	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/model/feature"
)

// gate decides which candidates may enter the list: each item once, none that the request
// leaves out, none that cannot be had now, none that the filter turns down.
type gate struct {
	run *run
	// out are the sets whose items may not appear.
	out []map[string]struct{}
	// category, where it is not empty, is the only one that items may be of or below.
	category string
	// pass lets items through that the catalog does not have.
	pass bool
}

func newGate(r *run) gate {
	g := gate{run: r, pass: !r.shop.Content.complete(r.shop)}
	if len(r.query.Exclude) > 0 {
		g.out = append(g.out, r.query.Exclude)
	}
	if r.query.ExcludeBought {
		g.out = append(g.out, r.visitor.bought())
	}
	if r.query.ExcludeSeen {
		g.out = append(g.out, r.visitor.seen())
	}
	if r.query.ExcludeInCart {
		g.out = append(g.out, r.visitor.cart())
	}
	return g
}

// leaveOut keeps items out that the list itself has no place for.
func (g *gate) leaveOut(ids ...string) {
	for _, id := range ids {
		g.run.scratch.taken[id] = struct{}{}
	}
}

// admits tells whether the candidate may enter, and looks its item up.
func (g *gate) admits(c *candidate) (bool, error) {
	if _, ok := g.run.scratch.taken[c.id]; ok {
		return false, nil
	}
	g.run.scratch.taken[c.id] = struct{}{}
	for _, out := range g.out {
		if _, ok := out[c.id]; ok {
			return false, nil
		}
	}
	item, known := g.run.shop.Catalog.Item(c.id)
	switch {
	case known && !item.AvailableAt(g.run.shop.Now), !known && !g.pass:
		return false, nil
	case known:
		c.item = item
	}
	if g.category != "" && !within(c.item, g.category) {
		return false, nil
	}
	return g.run.rules.keeps(c)
}

// bought are the items that the visitor bought and did not send back.
func (v *Visitor) bought() map[string]struct{} {
	out := map[string]struct{}{}
	if v.State != nil {
		addAll(out, v.State.Bought())
	}
	for _, x := range v.Session {
		switch x.Type {
		case event.Purchase:
			out[x.ItemID] = struct{}{}
		case event.Refund:
			delete(out, x.ItemID)
		}
	}
	return out
}

// seen are the items that the visitor viewed.
func (v *Visitor) seen() map[string]struct{} {
	out := map[string]struct{}{}
	if v.State != nil {
		addAll(out, v.State.Seen())
	}
	for _, interactions := range [][]feature.Interaction{v.Past, v.Session} {
		for _, x := range interactions {
			if viewed(x) {
				out[x.ItemID] = struct{}{}
			}
		}
	}
	return out
}

// cart are the items in the visitor's cart. An event of the request has no quantity: it
// puts the item in or takes it out whole.
func (v *Visitor) cart() map[string]struct{} {
	out := map[string]struct{}{}
	if v.Past != nil {
		v.pastCart(out)
	} else if v.State != nil {
		addAll(out, v.State.Cart())
	}
	for _, x := range v.Session {
		switch x.Type {
		case event.AddToCart:
			out[x.ItemID] = struct{}{}
		case event.RemoveFromCart, event.Purchase:
			delete(out, x.ItemID)
		}
	}
	return out
}

// pastCart adds what Past leaves in the cart, by the rules of feature.State.Cart.
func (v *Visitor) pastCart(out map[string]struct{}) {
	pieces := map[string]int64{}
	for i := range v.Past {
		switch x := &v.Past[i]; x.Type {
		case event.AddToCart:
			pieces[x.ItemID] += x.Quantity
		case event.RemoveFromCart:
			pieces[x.ItemID] = max(pieces[x.ItemID]-x.Quantity, 0)
		case event.Purchase:
			pieces[x.ItemID] = 0
		}
	}
	for id, n := range pieces {
		if n > 0 {
			out[id] = struct{}{}
		}
	}
}

func addAll(set map[string]struct{}, ids []string) {
	for _, id := range ids {
		set[id] = struct{}{}
	}
}

func viewed(x feature.Interaction) bool {
	return x.Type == event.ViewItem || x.Type == event.SelectItem
}
