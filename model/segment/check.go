package segment

import (
	"errors"
	"regexp"
	"slices"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/cost"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"

	"github.com/attune-shop/attune/model/event"
	"github.com/attune-shop/attune/model/rule"
)

// timeHelp says what can be done with now and ages.
const timeHelp = "now and ages can only be compared with < <= > >=: an age with a duration, as in " +
	"last_purchase.age > duration('720h'), and now with a time; now - a time is an age, and now takes + and - a duration"

// seedHelp says how likeness is read, and maxSeeds bounds to how many segments: the rule of each is asked, too.
const (
	seedHelp = "the rule has to name the segment, as in likeness['vip'] >= 0.95 or likeness_rank['vip'] <= 1000"
	maxSeeds = 10
)

// ofTime finds the types of time among what a call was applied to, as the checker says it.
var ofTime = regexp.MustCompile(`applied to '.*\b(now|age)\b.*'`)

// explained adds to errors about now and ages what can be done.
func explained(err error) error {
	var invalid *event.InvalidError
	if errors.As(err, &invalid) {
		for i := range invalid.Violations {
			if v := &invalid.Violations[i]; ofTime.MatchString(v.Rule) {
				v.Rule += "; " + timeHelp
			}
		}
	}
	return err
}

// mentionsTime tells whether a type is that of now or of ages, or made of them.
func mentionsTime(t *types.Type) bool {
	return t.IsExactType(nowType) || t.IsExactType(ageType) || slices.ContainsFunc(t.Parameters(), mentionsTime)
}

// compared are the operators that now and ages may be an operand of.
var compared = map[string]bool{
	operators.Subtract: true, operators.Add: true,
	operators.Less: true, operators.LessEquals: true, operators.Greater: true, operators.GreaterEquals: true,
}

// checkUse refuses what the types allow and the trace could not follow.
func checkUse(checked *ast.AST) error {
	var violations []event.Violation
	refuse := func(e ast.Expr, message string) {
		if len(violations) < 3 {
			at := checked.SourceInfo().GetStartLocation(e.ID())
			violations = append(violations, event.Violation{Field: field, Rule: rule.At(at.Line(), at.Column(), message)})
		}
	}
	ast.MatchDescendants(ast.NavigateAST(checked), func(e ast.NavigableExpr) bool {
		function := use(e)
		switch {
		case mentionsTime(checked.GetType(e.ID())) && !compared[function]:
			refuse(e, timeHelp)
		case ofSeeds[variable(checked, e)]:
			if _, named := constantKey(e); !named {
				refuse(e, seedHelp)
			}
		case (function == operators.Equals || function == operators.NotEquals) && checked.GetType(e.ID()).Kind() == types.MapKind:
			refuse(e, "maps are compared key by key")
		}
		return false
	})
	if violations != nil {
		return &event.InvalidError{Violations: violations}
	}
	if seeds := readsOf(checked).Seeds; len(seeds) > maxSeeds {
		return event.Invalid(field, "reads likeness to %d segments; at most %d", len(seeds), maxSeeds)
	}
	return nil
}

// variable returns the name of the rule's variable that e is, "" where it is none, as that of a loop.
func variable(checked *ast.AST, e ast.NavigableExpr) string {
	switch {
	case e.Kind() == ast.IdentKind && checked.ReferenceMap()[e.ID()] != nil:
		return e.AsIdent()
	case e.Kind() == ast.SelectKind && e.AsSelect().Operand().Kind() == ast.IdentKind && e.AsSelect().Operand().AsIdent() == whole:
		return e.AsSelect().FieldName()
	}
	return ""
}

// use returns which function e is an operand of, "" where it is of none.
func use(e ast.NavigableExpr) string {
	if parent, ok := e.Parent(); ok && parent.Kind() == ast.CallKind {
		return parent.AsCall().FunctionName()
	}
	return ""
}

// checkCost refuses a rule that may cost too much.
func (c *Compiler) checkCost(a *cel.Ast) error {
	estimate, err := c.env.EstimateCost(a, sizes{})
	if err != nil {
		return event.Invalid(field, "%s", rule.OneLine(err.Error()))
	}
	if estimate.Max > MaxCost {
		return event.Invalid(field, "may cost more than %d in one evaluation; leave out loops within loops, and texts and lists that are put together", uint64(MaxCost))
	}
	return nil
}

// sizes tells CEL how large what rules read can be.
type sizes struct{}

// bounds are those of lists and maps. Most are what a State keeps; those of currencies and shares
// are what is usual.
var bounds = map[string]uint64{
	"anonymous_ids": 500, "recent_items": 256, "cart_item_ids": 256, "event_counts": 45, "types": 45,
	"spent": 16, "values": 16, "traits": 64, "average_order_minor_units": 16,
	"category_affinity": 512, "affinity": 512, "brand_affinity": 256,
}

// loose are the maps that may have more than their bound.
var loose = []string{"category_affinity", "affinity", "brand_affinity"}

// maxTextBytes is what texts are taken for: ids and paths of categories are shorter, on the whole.
const maxTextBytes = 64

// EstimateSize implements cost.Estimator.
func (sizes) EstimateSize(element cost.AstNode) *cost.SizeEstimate {
	path := element.Path()
	if len(path) == 0 {
		return nil
	}
	if n, ok := bounds[path[len(path)-1]]; ok {
		return &cost.SizeEstimate{Max: n}
	}
	switch element.Type().Kind() {
	case types.StringKind:
		return &cost.SizeEstimate{Max: maxTextBytes}
	case types.StructKind:
		return &cost.SizeEstimate{Max: 100} // to compare all its fields
	}
	return nil
}

// EstimateCallCost implements cost.Estimator.
func (sizes) EstimateCallCost(string, string, *cost.AstNode, []cost.AstNode) *cost.CallEstimate {
	return nil
}
