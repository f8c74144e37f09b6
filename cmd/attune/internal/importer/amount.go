package importer

import (
	"errors"
	"strconv"
	"strings"
)

var errAmount = errors.New("not an amount of whole minor units")

// minorUnits reads a decimal amount such as "12.5" as minor units of a currency with that
// many digits after the point, 1250 for two. It is exact: an amount that is finer than a
// minor unit is an error, trailing zeros aside.
func minorUnits(s string, digits int) (int64, error) {
	whole, fraction, _ := strings.Cut(s, ".")
	fraction = strings.TrimRight(fraction, "0")
	if whole == "" || len(fraction) > digits || strings.HasPrefix(fraction, "-") || strings.HasPrefix(fraction, "+") {
		return 0, errAmount
	}
	n, err := strconv.ParseInt(whole+fraction+strings.Repeat("0", digits-len(fraction)), 10, 64)
	if err != nil {
		return 0, errAmount
	}
	return n, nil
}
