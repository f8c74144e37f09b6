package event

import "github.com/bojanz/currency"

// currencies holds the ISO 4217 codes in use, as CLDR lists them.
var currencies = func() map[string]struct{} {
	codes := currency.GetCurrencyCodes()
	set := make(map[string]struct{}, len(codes))
	for _, code := range codes {
		set[code] = struct{}{}
	}
	return set
}()

// ValidCurrency tells whether code is an ISO 4217 code in use, in capitals, as in "EUR".
func ValidCurrency(code string) bool {
	_, ok := currencies[code]
	return ok
}
