package rank

import (
	"fmt"
	"math"
	"time"

	"github.com/attune-shop/attune/model/cf"
	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/model/feature"
)

// maxReasons bounds the reasons of one item.
const maxReasons = 3

// Reason says what brought an item up.
type Reason struct {
	// Model is the part of the engine that gave the score: the trained model's algorithm,
	// "item_knn" for similar items, "bought_together", "content", "popularity", "trending",
	// "catalog", "recently_viewed", "buy_again" or "request".
	Model string
	// Share of the item's score, 0 to 1.
	Share float64
	// Event is the visitor's event behind it; its Type is empty where there is none. Its
	// Fingerprint is 0 for an event of the request.
	Event feature.Interaction
	// Text is a sentence that a person can read.
	Text string
}

func (r *run) reasons(c *candidate) []Reason {
	switch c.from {
	case fromModel:
		return r.modelReasons(c)
	case fromContent:
		if c.cause >= 0 {
			return []Reason{{Model: "content", Share: 1, Text: "Like " + r.name(r.basket[c.cause]) + "."}}
		}
		return r.contentReasons(c)
	case fromSimilar:
		return []Reason{{Model: cf.ItemKNN, Share: 1, Text: "Chosen by the same people as " + r.name(r.basket[c.cause]) + "."}}
	case fromTogether:
		return []Reason{{Model: "bought_together", Share: 1, Text: "Often bought with " + r.name(r.basket[c.cause]) + "."}}
	case fromTrending:
		return []Reason{{Model: "trending", Share: 1, Text: "Much asked for of late."}}
	case fromPopular:
		return []Reason{{Model: "popularity", Share: 1, Text: "Popular in this shop."}}
	case fromHistory:
		x := r.interests[c.cause].cause
		return []Reason{{Model: "recently_viewed", Share: 1, Event: *x, Text: "You " + verb(x.Type) + " it on " + day(x.At) + "."}}
	case fromOrders:
		x := r.interests[c.cause].cause
		return []Reason{{Model: "buy_again", Share: 1, Event: *x, Text: "You buy it time and again, last on " + day(x.At) + "."}}
	case fromCatalog:
		return []Reason{{Model: "catalog", Share: 1, Text: "On offer in this shop."}}
	default:
		return []Reason{{Model: "request", Share: 1, Text: "In the list that was given."}}
	}
}

// modelReasons asks the model which of the visitor's interests gave the score.
func (r *run) modelReasons(c *candidate) []Reason {
	model := r.shop.Model.Algorithm()
	if r.explain == nil {
		r.explain = r.shop.Model.Explainer(r.signals)
	}
	var out []Reason
	for _, part := range r.explain(c.row) {
		if len(out) == maxReasons || !(part.Share > 0) {
			break
		}
		if part.From < 0 || part.From >= len(r.signalOf) || r.signalOf[part.From] < 0 {
			continue
		}
		x := r.interests[r.signalOf[part.From]].cause
		text := "Goes with " + r.name(x.ItemID) + ", which you " + verb(x.Type) + " on " + day(x.At) + "."
		if x.ItemID == c.id {
			text = "You " + verb(x.Type) + " it on " + day(x.At) + "."
		}
		out = append(out, Reason{Model: model, Share: min(float64(part.Share), 1), Event: *x, Text: text})
	}
	if len(out) == 0 {
		return []Reason{{Model: model, Share: 1, Text: "Fits what you looked at."}}
	}
	return out
}

// contentReasons finds the interests whose items are the most alike.
func (r *run) contentReasons(c *candidate) []Reason {
	best, most := -1, 0.0
	content, catalog := r.shop.Content, r.shop.Catalog
	traits := content.traitsNow(catalog, c.id)
	for i := range r.interests {
		x := &r.interests[i]
		if likeness := content.between(traits, content.traitsOfInterest(r.shop, x)) * math.Sqrt(x.weight); likeness > most {
			best, most = i, likeness
		}
	}
	if best < 0 {
		return []Reason{{Model: "content", Share: 1, Text: "Like what you looked at."}}
	}
	x := r.interests[best].cause
	text := "Like " + r.name(x.ItemID) + ", which you " + verb(x.Type) + " on " + day(x.At) + "."
	if c.newcomer {
		text = "New. " + text
	}
	return []Reason{{Model: "content", Share: 1, Event: *x, Text: text}}
}

// name is what a person calls the item.
func (r *run) name(itemID string) string {
	if item, ok := r.shop.Catalog.Item(itemID); ok && item.Title != "" {
		return fmt.Sprintf("%q", item.Title)
	}
	return fmt.Sprintf("%q", itemID)
}

var verbs = map[event.Type]string{
	event.ViewItem: "viewed", event.SelectItem: "chose", event.AddToCart: "put into your cart",
	event.AddToWishlist: "wished for", event.Purchase: "bought", event.Rate: "rated",
	event.BeginCheckout: "were about to buy", event.ViewItemList: "saw", event.Refund: "sent back",
	event.RemoveFromCart: "took out of your cart",
}

func verb(t event.Type) string {
	if v, ok := verbs[t]; ok {
		return v
	}
	return "came across"
}

func day(at time.Time) string { return at.UTC().Format(time.DateOnly) }
