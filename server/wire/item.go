package wire

import (
	attunev1 "github.com/attune-shop/attune/gen/attune/v1"
	"github.com/attune-shop/attune/model/event"
)

// ReadItem returns the item that came. An availability that is not given is IN_STOCK.
func ReadItem(from *attunev1.Item) event.Item {
	item := event.Item{
		ID:             from.GetItemId(),
		Title:          from.GetTitle(),
		Categories:     from.GetCategories(),
		Brand:          from.GetBrand(),
		Price:          ReadMoney(from.GetPrice()),
		Availability:   event.InStock,
		ImageURL:       from.GetImageUrl(),
		PageURL:        from.GetPageUrl(),
		Attributes:     ReadAttributes(from.GetAttributes()),
		AvailableFrom:  ReadTime(from.GetAvailableFrom()),
		AvailableUntil: ReadTime(from.GetAvailableUntil()),
	}
	if a := from.GetAvailability(); a < 0 || a > 0xff {
		item.Availability = 0xff // names no availability, as a does not
	} else if a != 0 {
		item.Availability = event.Availability(a)
	}
	return item
}

// Item returns an item for the wire.
func Item(item *event.Item) *attunev1.Item {
	return &attunev1.Item{
		ItemId:         item.ID,
		Title:          item.Title,
		Categories:     item.Categories,
		Brand:          item.Brand,
		Price:          Money(item.Price),
		Availability:   attunev1.Availability(item.Availability),
		ImageUrl:       item.ImageURL,
		PageUrl:        item.PageURL,
		Attributes:     Attributes(item.Attributes),
		AvailableFrom:  Time(item.AvailableFrom),
		AvailableUntil: Time(item.AvailableUntil),
	}
}
