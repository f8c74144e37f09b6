package training

import (
	"errors"
	"fmt"

	"github.com/attune-shop/attune/model/cf/eval"

	attunev1 "github.com/attune-shop/attune/gen/attune/v1"
	"github.com/attune-shop/attune/model/cf"
	"github.com/attune-shop/attune/model/event"
)

// maxLimit is the length of the longest list that is served.
const maxLimit = 500

// cuts are what is held out for each objective.
var cuts = map[attunev1.Objective]eval.Cut{
	attunev1.Objective_OBJECTIVE_UNSPECIFIED: eval.CutTime,
	attunev1.Objective_NEW_ITEMS:             eval.CutTime,
	attunev1.Objective_NEXT_ITEM:             eval.CutNext,
	attunev1.Objective_LAST_ITEM:             eval.CutLast,
	attunev1.Objective_OTHER_ITEMS:           eval.CutRandom,
}

// optionsOf checks a request and says what to train: an event.InvalidError that names each field
// that is wrong.
func optionsOf(request *attunev1.TrainRequest) (cf.Options, error) {
	var all []event.Violation
	o := cf.Options{Algorithm: request.GetAlgorithm(), Seed: request.GetSeed()}
	if err := o.Validate(); err != nil {
		var invalid *event.InvalidError
		if !errors.As(err, &invalid) {
			return cf.Options{}, err
		}
		all = append(all, invalid.Violations...)
	}
	cut, known := cuts[request.GetObjective()]
	if !known {
		all = append(all, event.Violation{Field: "objective", Rule: fmt.Sprintf("must be one that is known, is %d", request.GetObjective())})
	}
	limit := int(request.GetLimit())
	if limit < 0 || limit > maxLimit {
		all = append(all, event.Violation{Field: "limit", Rule: fmt.Sprintf("must be in 0..%d, is %d", maxLimit, limit)})
	}
	if request.GetKeepActive() && request.GetActivateWorse() {
		all = append(all, event.Violation{Field: "activate_worse", Rule: "cannot be together with keep_active"})
	}
	if budget := request.GetBudget(); budget != nil {
		if o.Budget = budget.AsDuration(); budget.CheckValid() != nil || o.Budget <= 0 {
			all = append(all, event.Violation{Field: "budget", Rule: "must be above 0"})
		}
	}
	o.Protocol = eval.Protocol{K: limit, Seen: request.GetIncludeSeen(), Cut: cut}
	if len(all) > 0 {
		return cf.Options{}, &event.InvalidError{Violations: all}
	}
	return o, nil
}
