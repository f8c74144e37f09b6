package rule

import (
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/overloads"
	"cel.dev/cel-go/common/types"
)

// flatFunctions do work that neither grows with the item nor with what they build,
// but for a scan of one text.
var flatFunctions = map[string]bool{
	operators.Conditional: true, operators.LogicalAnd: true, operators.LogicalOr: true,
	operators.LogicalNot: true, operators.NotStrictlyFalse: true, operators.Negate: true,
	operators.Less: true, operators.LessEquals: true, operators.Greater: true, operators.GreaterEquals: true,
	operators.Subtract: true, operators.Multiply: true, operators.Divide: true, operators.Modulo: true,
	operators.Index: true, operators.OptIndex: true, operators.OptSelect: true,
	overloads.Size: true, overloads.Contains: true, overloads.StartsWith: true, overloads.EndsWith: true,
	overloads.TypeConvertDouble: true, overloads.TypeConvertInt: true, overloads.TypeConvertUint: true,
	overloads.TypeConvertTimestamp: true, overloads.TypeConvertDuration: true,
}

// FlatCost returns the number of nodes of an expression whose cost the text alone bounds,
// and 0 for any other: one with a loop, a regular expression, or a comparison or sum of
// things whose size the item decides. Tracking the cost of an evaluation makes it several
// times slower, and most rules do not need it.
func FlatCost(checked *ast.AST) uint64 {
	var nodes uint64
	flat := true
	ast.PostOrderVisit(checked.Expr(), ast.NewExprVisitor(func(e ast.Expr) {
		nodes++
		switch e.Kind() {
		case ast.ComprehensionKind, ast.StructKind:
			flat = false
		case ast.CallKind:
			flat = flat && flatCall(checked, e.AsCall())
		}
	}))
	if !flat {
		return 0
	}
	return nodes
}

func flatCall(checked *ast.AST, call ast.CallExpr) bool {
	args := call.Args()
	kind := func(i int) types.Kind { return checked.GetType(args[i].ID()).Kind() }
	switch name := call.FunctionName(); name {
	case operators.Equals, operators.NotEquals:
		return scalar(kind(0)) || scalar(kind(1))
	case operators.In:
		return scalar(kind(0)) && (kind(1) == types.ListKind || kind(1) == types.MapKind)
	case operators.Add:
		return scalar(kind(0)) && scalar(kind(1)) && kind(0) != types.StringKind
	default:
		return flatFunctions[name]
	}
}

func number(k types.Kind) bool {
	return k == types.IntKind || k == types.UintKind || k == types.DoubleKind
}

func scalar(k types.Kind) bool {
	return number(k) || k == types.StringKind || k == types.BoolKind || k == types.NullTypeKind ||
		k == types.TimestampKind || k == types.DurationKind || k == types.OpaqueKind
}

// Mentions tells whether the expression reads the variable.
func Mentions(checked *ast.AST, variable string) bool {
	for _, r := range checked.ReferenceMap() {
		if r.Name == variable {
			return true
		}
	}
	return false
}
