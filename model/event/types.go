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
	"detail-page-view":          ViewItem,
	"add-to-cart":               AddToCart,
	"remove-from-cart":          RemoveFromCart,
	"purchase-complete":         Purchase,
	"search":                    Search,
	"home-page-view":            PageView,
	"category-page-view":        ViewItemList,
	"shopping-cart-page-view":   BeginCheckout,
}

// Canonical returns the type that name stands for: an alias's, else name itself.
func Canonical(name string) Type {
	if t, ok := aliases[name]; ok {
		return t
	}
	return Type(name)
}
