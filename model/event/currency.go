package event

import (
	"strings"

	"github.com/bojanz/currency"
	known "golang.org/x/text/currency"
)

// currencies holds the ISO 4217 codes in use, as CLDR lists them.
var currencies = func() map[string]struct{} {
	codes := currency.GetCurrencyCodes()
	set := make(map[string]struct{}, len(codes))
	for _, code := range codes {
		set[code] = struct{}{}
	}
	return set
}()

// ValidCurrency tells whether code is an ISO 4217 code, in capitals, as in "EUR": one in
// use, or one that was, for histories are older than some currencies are gone.
func ValidCurrency(code string) bool {
	if _, ok := currencies[code]; ok {
		return true
	}
	_, err := known.ParseISO(code)
	return err == nil && code == strings.ToUpper(code) && code[0] != 'X' // X: no country's
}
