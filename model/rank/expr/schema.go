package expr

import (
	"encoding/json"
	"errors"
	"time"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"

	"github.com/attune-shop/attune/model/event"
)

// The names of the message types that rules see.
const (
	itemType    = "attune.v1.Item"
	moneyType   = "attune.v1.Money"
	userType    = "attune.v1.User"
	countsType  = "attune.v1.WindowCounts"
	amountsType = "attune.v1.WindowMoney"
	typeType    = "attune.v1.TypeFeatures"
	recentType  = "attune.v1.RecentItem"
)

// availabilities are the names of the contract's Availability values; none is read as in stock.
var availabilities = map[event.Availability]string{
	0: "IN_STOCK", event.InStock: "IN_STOCK", event.OutOfStock: "OUT_OF_STOCK",
	event.Preorder: "PREORDER", event.Backorder: "BACKORDER",
}

// schema maps type names to their fields. A new field of item or user is added here.
var schema = map[string]map[string]*types.FieldType{
	itemType: {
		"item_id":         text(func(i *item) string { return i.ID }),
		"title":           text(func(i *item) string { return i.Title }),
		"categories":      list(cel.StringType, func(i *item) []string { return i.Categories }),
		"brand":           text(func(i *item) string { return i.Brand }),
		"availability":    text(func(i *item) string { return availabilities[i.Availability] }),
		"image_url":       text(func(i *item) string { return i.ImageURL }),
		"page_url":        text(func(i *item) string { return i.PageURL }),
		"available_from":  instant(func(i *item) time.Time { return i.AvailableFrom }),
		"available_until": instant(func(i *item) time.Time { return i.AvailableUntil }),
		"price": optional(cel.ObjectType(moneyType), func(i *item) (any, bool) {
			return &i.Price, i.Price.Known()
		}),
		"attributes": field(cel.MapType(cel.StringType, cel.DynType),
			func(i *item) bool { return len(i.Attributes) > 0 }, attributes),
	},
	moneyType: {
		"currency_code": text(func(m *event.Money) string { return m.Currency }),
		"minor_units":   number64(func(m *event.Money) int64 { return m.Minor }),
	},
	userType: {
		"user_id":       text(func(u *User) string { return u.UserID }),
		"anonymous_ids": list(cel.StringType, func(u *User) []string { return u.AnonymousIDs }),
		"event_counts":  dict(cel.IntType, func(u *User) map[string]int64 { return u.EventCounts }),
		"types":         list(cel.ObjectType(typeType), func(u *User) []TypeFeatures { return u.Types }),
		"first_seen_at": instant(func(u *User) time.Time { return u.FirstSeenAt }),
		"last_seen_at":  instant(func(u *User) time.Time { return u.LastSeenAt }),
		"purchases":     object(cel.ObjectType(countsType), func(u *User) any { return &u.Purchases }),
		"spent":         list(cel.ObjectType(amountsType), func(u *User) []Amounts { return u.Spent }),
		"average_order_minor_units": dict(cel.IntType,
			func(u *User) map[string]int64 { return u.AverageOrder }),
		"last_purchase_at":  instant(func(u *User) time.Time { return u.LastPurchase }),
		"category_affinity": dict(cel.DoubleType, func(u *User) map[string]float64 { return u.Categories }),
		"brand_affinity":    dict(cel.DoubleType, func(u *User) map[string]float64 { return u.Brands }),
		"recent_items":      list(cel.ObjectType(recentType), func(u *User) []RecentItem { return u.RecentItems }),
		"cart_item_ids":     list(cel.StringType, func(u *User) []string { return u.CartItemIDs }),
	},
	countsType: {
		"d1":  number64(func(c *Counts) int64 { return c.D1 }),
		"d7":  number64(func(c *Counts) int64 { return c.D7 }),
		"d30": number64(func(c *Counts) int64 { return c.D30 }),
		"d90": number64(func(c *Counts) int64 { return c.D90 }),
		"all": number64(func(c *Counts) int64 { return c.All }),
	},
	amountsType: {
		"currency_code": text(func(a *Amounts) string { return a.Currency }),
		"d1":            number64(func(a *Amounts) int64 { return a.D1 }),
		"d7":            number64(func(a *Amounts) int64 { return a.D7 }),
		"d30":           number64(func(a *Amounts) int64 { return a.D30 }),
		"d90":           number64(func(a *Amounts) int64 { return a.D90 }),
		"all":           number64(func(a *Amounts) int64 { return a.All }),
	},
	typeType: {
		"type":     text(func(t *TypeFeatures) string { return t.Type }),
		"counts":   object(cel.ObjectType(countsType), func(t *TypeFeatures) any { return &t.Counts }),
		"values":   list(cel.ObjectType(amountsType), func(t *TypeFeatures) []Amounts { return t.Values }),
		"first_at": instant(func(t *TypeFeatures) time.Time { return t.FirstAt }),
		"last_at":  instant(func(t *TypeFeatures) time.Time { return t.LastAt }),
	},
	recentType: {
		"item_id":     text(func(r *RecentItem) string { return r.ItemID }),
		"type":        text(func(r *RecentItem) string { return r.Type }),
		"occurred_at": instant(func(r *RecentItem) time.Time { return r.At }),
		"quantity":    number64(func(r *RecentItem) int64 { return r.Quantity }),
	},
}

var (
	errType   = errors.New("unexpected message type")
	errAbsent = errors.New("not known")
)

// field makes a FieldType from typed accessors.
func field[T any](t *cel.Type, isSet func(*T) bool, get func(*T) (any, error)) *types.FieldType {
	return &types.FieldType{
		Type: t,
		IsSet: func(target any) bool {
			v, ok := target.(*T)
			return ok && v != nil && isSet(v)
		},
		GetFrom: func(target any) (any, error) {
			v, ok := target.(*T)
			if !ok || v == nil {
				return nil, errType
			}
			return get(v)
		},
	}
}

func text[T any](get func(*T) string) *types.FieldType {
	return field(cel.StringType, func(v *T) bool { return get(v) != "" }, func(v *T) (any, error) { return get(v), nil })
}

func number64[T any](get func(*T) int64) *types.FieldType {
	return field(cel.IntType, func(v *T) bool { return get(v) != 0 }, func(v *T) (any, error) { return get(v), nil })
}

func list[T, E any](elem *cel.Type, get func(*T) []E) *types.FieldType {
	return field(cel.ListType(elem), func(v *T) bool { return len(get(v)) > 0 }, func(v *T) (any, error) { return get(v), nil })
}

func dict[T, E any](elem *cel.Type, get func(*T) map[string]E) *types.FieldType {
	return field(cel.MapType(cel.StringType, elem),
		func(v *T) bool { return len(get(v)) > 0 }, func(v *T) (any, error) { return get(v), nil })
}

func object[T any](t *cel.Type, get func(*T) any) *types.FieldType {
	return field(t, func(*T) bool { return true }, func(v *T) (any, error) { return get(v), nil })
}

// optional is a message that may be absent.
func optional[T any](t *cel.Type, get func(*T) (any, bool)) *types.FieldType {
	return field(t,
		func(v *T) bool { _, ok := get(v); return ok },
		func(v *T) (any, error) {
			m, ok := get(v)
			if !ok {
				return nil, errAbsent
			}
			return m, nil
		})
}

func instant[T any](get func(*T) time.Time) *types.FieldType {
	return optional(cel.TimestampType, func(v *T) (any, bool) { t := get(v); return t, !t.IsZero() })
}

// item is the item of one evaluation, with its attributes read at most once.
type item struct {
	*event.Item
	attributes map[string]any
}

func attributes(i *item) (any, error) {
	if i.attributes == nil {
		i.attributes = map[string]any{}
		if len(i.Attributes) > 0 && json.Unmarshal(i.Attributes, &i.attributes) != nil {
			return nil, errAbsent
		}
	}
	return i.attributes, nil
}
