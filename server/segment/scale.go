package segment

import (
	"context"
	"slices"
	"sync"

	attunev1 "github.com/attune-shop/attune/gen/attune/v1"
	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/model/segment"
	"github.com/attune-shop/attune/store/history"
	"github.com/attune-shop/attune/store/membership"
)

// GetScale answers the scale that rfm goes by.
func (s *Service) GetScale(context.Context, *attunev1.GetScaleRequest) (*attunev1.Scale, error) {
	return describeScale(&s.options.Book.Current().Scale), nil
}

// SetScale sets the scale that rfm goes by.
func (s *Service) SetScale(ctx context.Context, request *attunev1.SetScaleRequest) (*attunev1.Scale, error) {
	currency := request.GetFromBuyersCurrencyCode()
	if (request.GetScale() != nil) == (currency != "") {
		return nil, event.Invalid("scale", "must be given, or from_buyers_currency_code, and not both")
	}
	scale, err := readScale(request.GetScale())
	if currency != "" {
		if scale, err = s.scaleOfBuyers(ctx, currency); err != nil {
			return nil, err
		}
	}
	if err != nil {
		return nil, err
	}
	if err := scale.Validate(); err != nil {
		return nil, within("scale", err)
	}
	edition, err := s.options.Book.Change(ctx, func(d *membership.Definitions) error {
		d.SetScale(scale)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return describeScale(&edition.Scale), nil
}

func readScale(given *attunev1.Scale) (segment.Scale, error) {
	scale := segment.Scale{Currency: given.GetCurrencyCode()}
	for _, steps := range []struct {
		field string
		from  []int64
		to    *segment.Steps
	}{
		{"scale.recency_days", given.GetRecencyDays(), &scale.RecencyDays},
		{"scale.frequency", given.GetFrequency(), &scale.Frequency},
		{"scale.monetary_minor_units", given.GetMonetaryMinorUnits(), &scale.Monetary},
	} {
		if given != nil && len(steps.from) != len(steps.to) {
			return scale, event.Invalid(steps.field, "must be %d numbers, are %d", len(steps.to), len(steps.from))
		}
		copy(steps.to[:], steps.from)
	}
	return scale, nil
}

func describeScale(s *segment.Scale) *attunev1.Scale {
	return &attunev1.Scale{
		RecencyDays: s.RecencyDays[:], Frequency: s.Frequency[:], MonetaryMinorUnits: s.Monetary[:], CurrencyCode: s.Currency,
	}
}

// scaleOfBuyers reads how recently, how often and for how much everybody bought who ever did.
func (s *Service) scaleOfBuyers(ctx context.Context, currency string) (segment.Scale, error) {
	if !event.ValidCurrency(currency) {
		return segment.Scale{}, event.Invalid("from_buyers_currency_code", "is no currency of ISO 4217: %q", currency)
	}
	var mu sync.Mutex
	var days, purchases, spent []int64
	now := s.options.Now()
	err := s.options.Crowd.Each(ctx, 0, func(people []history.Person) {
		var d, p, m []int64
		for i := range people {
			if since, count, worth := segment.Values(people[i].State, currency, now); count > 0 {
				d, p, m = append(d, since), append(p, count), append(m, worth)
			}
		}
		mu.Lock()
		defer mu.Unlock()
		days, purchases, spent = append(days, d...), append(purchases, p...), append(spent, m...)
	})
	if err != nil {
		return segment.Scale{}, err
	}
	if len(days) == 0 {
		return segment.Scale{}, event.Invalid("from_buyers_currency_code", "nobody has bought anything yet")
	}
	slices.Sort(days)
	slices.Sort(purchases)
	slices.Sort(spent)
	return segment.ScaleOf(currency, days, purchases, spent), nil
}
