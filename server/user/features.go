package user

import (
	"google.golang.org/protobuf/types/known/structpb"

	attunev1 "github.com/attune-shop/attune/gen/attune/v1"
	"github.com/attune-shop/attune/model/feature"
)

func counts(w feature.Windows) *attunev1.WindowCounts {
	return &attunev1.WindowCounts{D1: w.D1, D7: w.D7, D30: w.D30, D90: w.D90, All: w.All}
}

func amounts(list []feature.Amounts) []*attunev1.WindowMoney {
	out := make([]*attunev1.WindowMoney, len(list))
	for i, a := range list {
		out[i] = &attunev1.WindowMoney{CurrencyCode: a.Currency, D1: a.D1, D7: a.D7, D30: a.D30, D90: a.D90, All: a.All}
	}
	return out
}

func traits(of map[string]any) map[string]*structpb.Value {
	out := make(map[string]*structpb.Value, len(of))
	for key, value := range of {
		switch value := value.(type) {
		case bool:
			out[key] = structpb.NewBoolValue(value)
		case float64:
			out[key] = structpb.NewNumberValue(value)
		case string:
			out[key] = structpb.NewStringValue(value)
		}
	}
	return out
}
