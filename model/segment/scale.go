package segment

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"

	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/model/feature"
)

const (
	// scoreSteps is how many steps make the five scores.
	scoreSteps = 4
	// maxDays bounds the steps of recency: a thousand years.
	maxDays = 365_250
)

// Steps part values into five, in ascending order: a value is above as many of them as are less
// than it.
type Steps [scoreSteps]int64

// Scale is what a shop's recency, frequency and monetary scores go by. Of a user who bought
//
//	days      = UTC date of now - UTC date of the last purchase, at least 0
//	purchases = number of purchases of all time
//	spent     = worth of purchases - worth of refunds of all time, in the currency's minor units
//
//	recency   = 5 - how many of RecencyDays are less than days
//	frequency = 1 + how many of Frequency are less than purchases
//	monetary  = 1 + how many of Monetary are less than spent
//
// so 5 is best in all three. Who never bought has scores of 0.
type Scale struct {
	// Currency is the one that spent is in. Where it is empty, spent is that of the currency in which it
	// is most, as a number, which is right for shops of one currency.
	Currency    string `json:"currency_code"`
	RecencyDays Steps  `json:"recency_days"`
	Frequency   Steps  `json:"frequency"`
	Monetary    Steps  `json:"monetary_minor_units"`
}

// defaultScale is what DefaultScale returns.
var defaultScale = Scale{
	RecencyDays: Steps{14, 45, 90, 180},
	Frequency:   Steps{1, 2, 4, 9},
	Monetary:    Steps{5_000, 15_000, 40_000, 100_000},
}

// DefaultScale is for shops that have not computed their own yet.
func DefaultScale() Scale { return defaultScale }

// ScaleOf returns the scale whose steps part a shop's buyers into fifths. Each list has a value of
// every buyer, in ascending order: days since the last purchase, purchases, and what was spent in the
// currency. A step is the greatest value of its fifth: sorted[ceil(n i / 5) - 1] for i of 1 to 4. Of
// an empty list the steps are those of DefaultScale.
func ScaleOf(currency string, days, purchases, spent []int64) Scale {
	return Scale{
		Currency:    currency,
		RecencyDays: quintiles(days, defaultScale.RecencyDays),
		Frequency:   quintiles(purchases, defaultScale.Frequency),
		Monetary:    quintiles(spent, defaultScale.Monetary),
	}
}

func quintiles(sorted []int64, otherwise Steps) Steps {
	n := len(sorted)
	if n == 0 {
		return otherwise
	}
	var steps Steps
	for i := range steps {
		steps[i] = sorted[(n*(i+1)+scoreSteps)/(scoreSteps+1)-1]
	}
	return steps
}

// above returns how many steps are less than the value.
func (s *Steps) above(value int64) int {
	n := 0
	for n < len(s) && s[n] < value {
		n++
	}
	return n
}

// Scores returns the scores of a user who bought.
func (s *Scale) Scores(days, purchases, spent int64) (recency, frequency, monetary int) {
	return 1 + scoreSteps - s.RecencyDays.above(days), 1 + s.Frequency.above(purchases), 1 + s.Monetary.above(spent)
}

// worth returns what was spent in the scale's currency.
func (s *Scale) worth(spent []feature.Amounts) int64 {
	if s.Currency == "" {
		if len(spent) == 0 {
			return 0
		}
		return slices.MaxFunc(spent, func(a, b feature.Amounts) int { return int(min(max(a.All-b.All, -1), 1)) }).All
	}
	for _, a := range spent {
		if a.Currency == s.Currency {
			return a.All
		}
	}
	return 0
}

// Validate returns nil or an *event.InvalidError with every violation.
func (s *Scale) Validate() error {
	var violations []event.Violation
	if s.Currency != "" && !isCurrency(s.Currency) {
		violations = append(violations, event.Violation{Field: "currency_code", Rule: "must be three letters from A to Z, or empty"})
	}
	for _, steps := range []struct {
		field       string
		of          Steps
		least, most int64
	}{
		{"recency_days", s.RecencyDays, 0, maxDays},
		{"frequency", s.Frequency, 0, math.MaxInt64},
		{"monetary_minor_units", s.Monetary, math.MinInt64, math.MaxInt64},
	} {
		before := steps.least
		for i, step := range steps.of {
			if step < before || step > steps.most {
				violations = append(violations, event.Violation{
					Field: fmt.Sprintf("%s[%d]", steps.field, i),
					Rule:  fmt.Sprintf("is %d; must be between %d and %d, as no step may be less than the one before", step, before, steps.most),
				})
			}
			before = max(before, step)
		}
	}
	if violations != nil {
		return &event.InvalidError{Violations: violations}
	}
	return nil
}

func isCurrency(code string) bool {
	return len(code) == 3 && !slices.ContainsFunc([]byte(code), func(c byte) bool { return c < 'A' || c > 'Z' })
}

// UnmarshalJSON takes exactly four steps, where an array of Go would take any number.
func (s *Steps) UnmarshalJSON(data []byte) error {
	var steps []int64
	if err := json.Unmarshal(data, &steps); err != nil {
		return err
	}
	if len(steps) != scoreSteps {
		return fmt.Errorf("%d steps; must be %d", len(steps), scoreSteps)
	}
	*s = Steps(steps)
	return nil
}
