package segment

import (
	"slices"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"

	"github.com/attune-shop/attune/model/event"
)

// Reads tells what can change a rule's answer, beside time. It is on the safe side: what it leaves
// out changes no answer.
type Reads struct {
	// types has the bit of each known type's number; bit 0 stands for all custom types, for they share
	// a bound, so that one can change what is counted of another.
	types uint32
	// Catalog says that the categories and brands of items can.
	Catalog bool
	// Likelihood says that another model of likely buyers can.
	Likelihood bool
	// Seeds are the ids, in order, of segments of which another profile can, and another rule.
	Seeds []string
	// Scale says that another Scale can.
	Scale bool
}

// Types tells whether an event of the type, or of one that it is an alias of, can.
func (r Reads) Types(t event.Type) bool { return r.types>>event.Canonical(string(t)).Number()&1 == 1 }

// allTypes are the types that change what recent interactions and times of the newest events tell. The
// cart is among that: it is read from a bounded list, out of which an event of any type can push another.
const allTypes = ^uint32(0)

func bit(t event.Type) uint32 { return 1 << t.Number() }

// reads are what the variables depend on.
var reads = map[string]Reads{
	"user_id":                   {},
	"now":                       {},
	"anonymous_ids":             {types: allTypes}, // any event can name another one
	"event_counts":              {types: allTypes}, // but where the text says which
	"types":                     {types: allTypes},
	"first_seen":                {types: allTypes},
	"first_seen_at":             {types: allTypes},
	"last_seen":                 {types: allTypes},
	"last_seen_at":              {types: allTypes},
	"recent_items":              {types: allTypes},
	"cart_item_ids":             {types: allTypes},
	"purchases":                 {types: bit(event.Purchase)},
	"last_purchase":             {types: bit(event.Purchase)},
	"last_purchase_at":          {types: bit(event.Purchase)},
	"average_order_minor_units": {types: bit(event.Purchase)},
	"spent":                     {types: bit(event.Purchase) | bit(event.Refund)},
	"traits":                    {types: bit(event.Identify)},
	"rfm":                       {types: bit(event.Purchase) | bit(event.Refund), Scale: true},
	"category_affinity":         {types: allTypes, Catalog: true},
	"affinity":                  {types: allTypes, Catalog: true},
	"brand_affinity":            {types: allTypes, Catalog: true},
	"likelihood":                {types: allTypes, Likelihood: true},
	"likeness":                  {types: allTypes},
	"likeness_rank":             {types: allTypes},
}

// ofSeeds are the variables that are read segment by segment.
var ofSeeds = map[string]bool{"likeness": true, "likeness_rank": true}

func (r *Reads) add(other Reads) {
	r.types |= other.types
	r.Catalog = r.Catalog || other.Catalog
	r.Likelihood = r.Likelihood || other.Likelihood
	r.Scale = r.Scale || other.Scale
	for _, id := range other.Seeds {
		if at, known := slices.BinarySearch(r.Seeds, id); !known {
			r.Seeds = slices.Insert(r.Seeds, at, id)
		}
	}
}

// readsOf finds what a rule reads. A variable of a loop that bears the name of one of the rule's
// counts as that: it errs on the safe side.
func readsOf(checked *ast.AST) Reads {
	var all Reads
	ast.MatchDescendants(ast.NavigateAST(checked), func(e ast.NavigableExpr) bool {
		if e.Kind() != ast.IdentKind {
			return false
		}
		name := e.AsIdent()
		if parent, ok := e.Parent(); ok && name == whole && parent.Kind() == ast.SelectKind {
			name = parent.AsSelect().FieldName()
		}
		key, ok := constantKey(e)
		if ok && name == "event_counts" {
			all.add(Reads{types: bit(event.Canonical(key))})
			return false
		}
		if name, ok := existingType(e); ok {
			all.add(Reads{types: bit(event.Canonical(name))})
			return false
		}
		all.add(reads[name])
		if ok && ofSeeds[name] {
			all.add(Reads{Seeds: []string{key}})
		}
		return false
	})
	return all
}

// constantKey returns the key that e, a map, is asked for, where the text says it.
func constantKey(e ast.NavigableExpr) (string, bool) {
	parent, ok := e.Parent()
	if !ok {
		return "", false
	}
	var key ast.Expr
	switch parent.Kind() {
	case ast.SelectKind:
		return parent.AsSelect().FieldName(), true
	case ast.CallKind:
		args := parent.AsCall().Args()
		switch parent.AsCall().FunctionName() {
		case operators.Index, operators.OptIndex, operators.OptSelect:
			if args[0].ID() == e.ID() {
				key = args[1]
			}
		case operators.In:
			if args[1].ID() == e.ID() {
				key = args[0]
			}
		}
	}
	if key == nil || key.Kind() != ast.LiteralKind {
		return "", false
	}
	text, ok := key.AsLiteral().(types.String)
	return string(text), ok
}

// existingType returns the type t of which alone a rule asks whether it is among e, the types, as
// e.exists(x, x.type == t && ...) does: whatever is true of others, it is no answer.
func existingType(e ast.NavigableExpr) (string, bool) {
	parent, ok := e.Parent()
	if !ok || e.AsIdent() != "types" || parent.Kind() != ast.ComprehensionKind {
		return "", false
	}
	loop := parent.AsComprehension()
	step := loop.LoopStep()
	if loop.HasIterVar2() || loop.IterRange().ID() != e.ID() || !isIdent(loop.Result(), loop.AccuVar()) ||
		!isCall(step, operators.LogicalOr) || !isIdent(step.AsCall().Args()[0], loop.AccuVar()) {
		return "", false
	}
	return comparedType(step.AsCall().Args()[1], loop.IterVar())
}

// comparedType returns the type that a condition says x to have, whatever else it says.
func comparedType(condition ast.Expr, x string) (string, bool) {
	switch {
	case isCall(condition, operators.LogicalAnd):
		for _, part := range condition.AsCall().Args() {
			if name, ok := comparedType(part, x); ok {
				return name, true
			}
		}
	case isCall(condition, operators.Equals):
		args := condition.AsCall().Args()
		if args[0].Kind() == ast.LiteralKind {
			args = []ast.Expr{args[1], args[0]}
		}
		field := args[0]
		if field.Kind() != ast.SelectKind || field.AsSelect().IsTestOnly() || field.AsSelect().FieldName() != "type" ||
			!isIdent(field.AsSelect().Operand(), x) || args[1].Kind() != ast.LiteralKind {
			return "", false
		}
		name, ok := args[1].AsLiteral().(types.String)
		return string(name), ok
	}
	return "", false
}

func isIdent(e ast.Expr, name string) bool { return e.Kind() == ast.IdentKind && e.AsIdent() == name }

func isCall(e ast.Expr, name string) bool {
	return e.Kind() == ast.CallKind && e.AsCall().FunctionName() == name
}
