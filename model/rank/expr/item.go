package expr

import (
	"encoding/json"
	"time"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types/ref"

	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/model/rule"
)

// item is the item of one evaluation, with its attributes read at most once.
type item struct {
	*event.Item
	attributes map[string]any
}

// itemMessage is the type of *item. A new field of it is added here.
var itemMessage = rule.NewMessage("attune.v1.Item", rule.Fields{
	"item_id":         rule.Text(func(i *item) string { return i.ID }),
	"title":           rule.Text(func(i *item) string { return i.Title }),
	"categories":      rule.Texts(func(i *item) []string { return i.Categories }),
	"brand":           rule.Text(func(i *item) string { return i.Brand }),
	"availability":    rule.Text(func(i *item) string { return availabilities[i.Availability] }),
	"image_url":       rule.Text(func(i *item) string { return i.ImageURL }),
	"page_url":        rule.Text(func(i *item) string { return i.PageURL }),
	"available_from":  rule.Time(func(i *item) time.Time { return i.AvailableFrom }),
	"available_until": rule.Time(func(i *item) time.Time { return i.AvailableUntil }),
	"price": rule.Optional(moneyMessage.Type(), func(i *item) (ref.Val, bool) {
		return moneyMessage.Of(&i.Price), i.Price.Known()
	}),
	"attributes": rule.Field(cel.MapType(cel.StringType, cel.DynType),
		func(i *item) bool { return len(i.Attributes) > 0 }, attributes),
})

var moneyMessage = rule.NewMessage("attune.v1.Money", rule.Fields{
	"currency_code": rule.Text(func(m *event.Money) string { return m.Currency }),
	"minor_units":   rule.Int(func(m *event.Money) int64 { return m.Minor }),
})

// availabilities are the names of the contract's Availability values; none is read as in stock.
var availabilities = map[event.Availability]string{
	0: "IN_STOCK", event.InStock: "IN_STOCK", event.OutOfStock: "OUT_OF_STOCK",
	event.Preorder: "PREORDER", event.Backorder: "BACKORDER",
}

func attributes(i *item) (any, error) {
	if i.attributes == nil {
		i.attributes = map[string]any{}
		if len(i.Attributes) > 0 && json.Unmarshal(i.Attributes, &i.attributes) != nil {
			return nil, rule.ErrUnknown
		}
	}
	return i.attributes, nil
}

// variables is the activation of one evaluation.
type variables struct {
	item item
	user *rule.User
}

// ResolveName implements cel.Activation.
func (v *variables) ResolveName(name string) (any, bool) {
	switch name {
	case "item":
		return itemMessage.Of(&v.item), true
	case "user":
		return rule.UserMessage.Of(v.user), true
	}
	return nil, false
}

// Parent implements cel.Activation.
func (v *variables) Parent() cel.Activation { return nil }
