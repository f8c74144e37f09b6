package segment

import (
	"time"

	"github.com/attune-shop/attune/model/feature"
)

// Values returns what the scores of a user are made of: whole days of UTC since the last purchase,
// purchases, and what was spent less refunds in the currency, in minor units. All are 0 for who
// never bought.
func Values(state *feature.State, currency string, now time.Time) (days, purchases, spent int64) {
	sum := state.Summary(now)
	if sum.Purchases.All == 0 {
		return 0, 0, 0
	}
	scale := Scale{Currency: currency}
	return max(day(now)-day(sum.LastPurchase), 0), sum.Purchases.All, scale.worth(sum.Spent)
}
