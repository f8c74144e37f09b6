package event

// Type names what happened. GA4's names are the canonical ones.
type Type string

// The types that Attune gives a meaning; any other valid name is a custom type.
const (
	ViewItem       Type = "view_item"
	ViewItemList   Type = "view_item_list"
	SelectItem     Type = "select_item"
	AddToCart      Type = "add_to_cart"
	RemoveFromCart Type = "remove_from_cart"
	AddToWishlist  Type = "add_to_wishlist"
	BeginCheckout  Type = "begin_checkout"
	Purchase       Type = "purchase"
	Refund         Type = "refund"
	Search         Type = "search"
	Rate           Type = "rate"
	PageView       Type = "page_view"
	// Identify says something of the user: its attributes are traits.
	Identify Type = "identify"
)

// aliases are the names that Segment and Google's Retail API give the same things.
var aliases = map[string]Type{
	"Product Viewed":            ViewItem,
	"Product List Viewed":       ViewItemList,
	"Product Clicked":           SelectItem,
	"Product Added":             AddToCart,
	"Product Removed":           RemoveFromCart,
	"Product Added to Wishlist": AddToWishlist,
	"Checkout Started":          BeginCheckout,
	"Order Completed":           Purchase,
	"Order Refunded":            Refund,
	"Products Searched":         Search,
	"Identify":                  Identify,
	"detail-page-view":          ViewItem,
	"add-to-cart":               AddToCart,
	"remove-from-cart":          RemoveFromCart,
	"purchase-complete":         Purchase,
	"home-page-view":            PageView,
	"category-page-view":        ViewItemList,
	"shopping-cart-page-view":   BeginCheckout,
}

// Canonical returns the type that name stands for: an alias's, else name itself.
func Canonical(name string) Type {
	if t := Type(name); t.Number() != 0 {
		return t
	}
	if t, ok := aliases[name]; ok {
		return t
	}
	return Type(name)
}

// numbered holds the types that Attune gives a meaning at their stored numbers.
var numbered = [...]Type{
	1: ViewItem, 2: ViewItemList, 3: SelectItem, 4: AddToCart, 5: RemoveFromCart, 6: AddToWishlist,
	7: BeginCheckout, 8: Purchase, 9: Refund, 10: Search, 11: Rate, 12: PageView,
	13: Identify,
}

// Number returns the number under which a type that Attune gives a meaning is stored,
// which never changes; 0 for a custom type.
func (t Type) Number() uint8 {
	switch t {
	case ViewItem:
		return 1
	case ViewItemList:
		return 2
	case SelectItem:
		return 3
	case AddToCart:
		return 4
	case RemoveFromCart:
		return 5
	case AddToWishlist:
		return 6
	case BeginCheckout:
		return 7
	case Purchase:
		return 8
	case Refund:
		return 9
	case Search:
		return 10
	case Rate:
		return 11
	case PageView:
		return 12
	case Identify:
		return 13
	}
	return 0
}

// TypeOf returns the type with that number, false where this version knows none.
func TypeOf(number uint8) (Type, bool) {
	if number == 0 || int(number) >= len(numbered) {
		return "", false
	}
	return numbered[number], true
}
